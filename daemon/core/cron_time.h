/* When a specification (cron_spec.h) comes next, in a time zone. Pure: the zone is a function that
 * tells the offset from UTC at an instant, and how long before and after it holds.
 *
 * Where the clock is put forward or back, cron's two rules hold. A specification that goes by real
 * time (its minute or hour begins with "*") comes whenever the clock on the wall shows a matching
 * time: not in the hour that is left out, and again in the hour that comes twice. Any other comes
 * once for each time that it names: a time that is left out is made up for at the first instant
 * after the gap, once for all times in it; a time that comes twice counts the first time only. */
#ifndef BATCHD_DAEMON_CORE_CRON_TIME_H
#define BATCHD_DAEMON_CORE_CRON_TIME_H

#include "daemon/core/cron_spec.h"

#define CRON_NEVER INT64_MAX

/* A stretch of time with one offset: local time is UTC + offset_s. Seconds since the epoch; the
 * first begins at INT64_MIN, the last ends at INT64_MAX. */
struct zone_span {
    int64_t from, until; /* until: the first instant after it */
    int64_t offset_s;
};

/* The span that `at_s` is in. */
typedef void (*zone_span_fn)(void *zone, int64_t at_s, struct zone_span *ret);

/* The first run after `after_s` (not at it), in seconds since the epoch; CRON_NEVER when none comes
 * in 48 years, within which the rarest does (a February 29 that is a Sunday: 40 years over 2100).
 */
int64_t cron_next(const struct cron_spec *spec, zone_span_fn span_at, void *zone, int64_t after_s);

/* The last run after `since_s` and not after `until_s`, CRON_NEVER when there is none. */
int64_t cron_last(const struct cron_spec *spec, zone_span_fn span_at, void *zone, int64_t since_s,
                  int64_t until_s);

#endif
