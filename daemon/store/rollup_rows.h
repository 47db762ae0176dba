/* What happened to jobs, minute by minute, in sums of a user, queue and type (core/rollup.h): rows
 * that are kept when the jobs themselves are gone. They are written in the transaction of what they
 * count. */
#ifndef BATCHD_DAEMON_STORE_ROLLUP_ROWS_H
#define BATCHD_DAEMON_STORE_ROLLUP_ROWS_H

#include "daemon/core/queue_settings.h"
#include "daemon/core/rollup.h"
#include "daemon/store/db.h"

#include <limits.h>

/* Adds the row of this key to *rollup, if there is one. */
int rollup_rows_load(struct db *db, const struct rollup_key *key, struct rollup *rollup,
                     struct error *err);
/* Writes or replaces it. */
int rollup_rows_put(struct db *db, const struct rollup_key *key, const struct rollup *rollup,
                    struct error *err);

/* Behind which row the next part begins, and how many rows it has: at first {minute, -1, rows}. */
struct rollup_cursor {
    int64_t minute, uid;
    unsigned rows;
    char queue[QUEUE_NAME_MAX + 1], type[NAME_MAX + 1];
};
/* Calls `each` for the rows of the next part. 1: there may be more; 0: that was all; -1 with err.
 */
typedef void (*rollup_fn)(void *arg, const struct rollup_key *key, const struct rollup *rollup);
int rollup_rows_next(struct db *db, struct rollup_cursor *cursor, rollup_fn each, void *arg,
                     struct error *err);

/* The oldest minute there is; *ret stays as it is when there is none. */
int rollup_rows_first(struct db *db, int64_t *ret, struct error *err);

/* Removes what is older than `minute`, an hour of it. *ret_more: there may be more. */
int rollup_rows_prune(struct db *db, int64_t minute, bool *ret_more, struct error *err);

int rollup_rows_check(struct db *db, struct error *err);

#endif
