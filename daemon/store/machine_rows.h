/* The machine minute by minute (core/machine_minute.h). */
#ifndef BATCHD_DAEMON_STORE_MACHINE_ROWS_H
#define BATCHD_DAEMON_STORE_MACHINE_ROWS_H

#include "daemon/core/machine_minute.h"
#include "daemon/store/db.h"

/* Writes it. A minute of which there is a row already (the clock went back) is added to it. */
int machine_rows_put(struct db *db, const struct machine_minute *minute, struct error *err);

/* Calls `each` with those from a minute on and before another, newest first, at most so many. */
struct machine_span {
    int64_t since, before, most;
};
typedef void (*machine_minute_fn)(void *arg, const struct machine_minute *minute);
int machine_rows_each(struct db *db, const struct machine_span *span, machine_minute_fn each,
                      void *arg, struct error *err);

/* Removes what is older; a day of it at a time. */
int machine_rows_prune(struct db *db, int64_t minute, struct error *err);
int machine_rows_clear(struct db *db, struct error *err); /* removes all */
int machine_rows_check(struct db *db, struct error *err);

#endif
