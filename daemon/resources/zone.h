/* A time zone by its name in the system's database: which offset from UTC holds when. GLib reads
 * the database. */
#ifndef BATCHD_DAEMON_RESOURCES_ZONE_H
#define BATCHD_DAEMON_RESOURCES_ZONE_H

#include "common/error.h"
#include "daemon/core/cron_time.h"

#include <stddef.h>

struct zone;

/* "Europe/Berlin", "UTC". NULL for `name`: the zone of this process, from TZ or /etc/localtime.
 * NULL with ERROR_INVALID naming the field "timezone" when the database has no such zone. */
struct zone *zone_new(const char *name, struct error *err);
void zone_free(struct zone *zone);

const char *zone_name(const struct zone *zone);

/* A zone_span_fn; `zone` is a struct zone. Remembers its last answer. */
void zone_span_at(void *zone, int64_t at_s, struct zone_span *ret);

/* "2026-03-29 03:00 +02:00" of an instant; `bytes` at least ZONE_TIME_BYTES. */
#define ZONE_TIME_BYTES 40
void zone_format(struct zone *zone, int64_t at_s, char *ret, size_t bytes);

#endif
