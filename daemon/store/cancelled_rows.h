/* Tasks that were cancelled before they ever started, without their array: ranges of positions, so
 * that a million of them cost one row. The array's row counts them as cancelled. */
#ifndef BATCHD_DAEMON_STORE_CANCELLED_ROWS_H
#define BATCHD_DAEMON_STORE_CANCELLED_ROWS_H

#include "daemon/core/job.h"
#include "daemon/core/task_ranges.h"
#include "daemon/store/db.h"

struct cancelled_row {
    uint64_t job;
    uint64_t first, last; /* positions, inclusive; the ranges of a job do not overlap */
    int64_t ended_at;
    const char *message; /* borrowed; "" when no reason was given */
};

/* How many rows adjoin it and have the same message: 0, 1 or 2. */
int cancelled_rows_adjoining(struct db *db, const struct cancelled_row *row, unsigned *ret,
                             struct error *err);
/* Adds one; `join`: those that adjoin it become one with it, which says when the last of them was
 * cancelled. *ret_more is how many rows there are more than before, -1 to 1. */
int cancelled_rows_add(struct db *db, const struct cancelled_row *row, bool join, int *ret_more,
                       struct error *err);

/* The one that holds `position`, as the status of a task: state, ended_at and outcome of *ret are
 * set. 1, 0: there is none, -1: error. */
int cancelled_rows_find(struct db *db, uint64_t job, uint64_t position, struct job_status *ret,
                        struct error *err);

/* All of a job, in the order of their positions. The row is the callee's to read, not to keep. */
typedef void (*cancelled_row_fn)(void *arg, const struct cancelled_row *row);
int cancelled_rows_each(struct db *db, uint64_t job, cancelled_row_fn each, void *arg,
                        struct error *err);

/* Checks every row. */
int cancelled_rows_check(struct db *db, struct error *err);

#endif
