/* File systems and GPUs of the machine minute by minute (core/machine_parts.h). */
#ifndef BATCHD_DAEMON_STORE_MACHINE_PART_ROWS_H
#define BATCHD_DAEMON_STORE_MACHINE_PART_ROWS_H

#include "daemon/core/machine_parts.h"
#include "daemon/store/db.h"

/* Writes it, added to what there is of that minute (the clock went back). */
int machine_part_rows_put(struct db *db, int64_t minute, const struct machine_part *part,
                          struct error *err);

/* Calls `each` with those of the minutes from `since` on and before `before`, the oldest first,
 * then by kind and name; what it gets is borrowed. */
typedef void (*machine_part_fn)(void *arg, int64_t minute, const struct machine_part *part);
int machine_part_rows_each(struct db *db, int64_t since, int64_t before, machine_part_fn each,
                           void *arg, struct error *err);

/* Removes those of older minutes; an hour of them at a time. */
int machine_part_rows_prune(struct db *db, int64_t minute, struct error *err);
int machine_part_rows_clear(struct db *db, struct error *err); /* removes all */
int machine_part_rows_check(struct db *db, struct error *err);

#endif
