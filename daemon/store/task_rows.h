/* Rows of array tasks: a task has one from its first start on; what it is stands in the array's
 * row. */
#ifndef BATCHD_DAEMON_STORE_TASK_ROWS_H
#define BATCHD_DAEMON_STORE_TASK_ROWS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"

/* Writes a task's status, the first time or again. */
int task_rows_put(struct db *db, const struct job_status *status, struct error *err);

/* Reads one. 0; -1 with ERROR_NOT_FOUND (it has not been started), ERROR_DAMAGED or ERROR_IO.
 * Release with job_status_done. */
int task_rows_load(struct db *db, uint64_t job, uint64_t index, struct job_status *ret,
                   struct error *err);

/* The failed task with the lowest index. 1 and *ret, 0: there is none, -1: error. */
int task_rows_first_failed(struct db *db, uint64_t job, struct job_status *ret, struct error *err);

/* Every unfinished task, in the order of job and index, for the start of the daemon. The status is
 * the callee's to read, not to keep; `each` must not touch the store. */
typedef int (*task_row_fn)(void *arg, const struct job_status *status);
int task_rows_each_open(struct db *db, task_row_fn each, void *arg, struct error *err);

/* The tasks of one array that wait for another attempt, in the order of their index: only their
 * names and retry_at, retry_us, memory_bytes, since there may be a million. */
int task_rows_each_waiting(struct db *db, uint64_t job, task_row_fn each, void *arg,
                           struct error *err);

/* Tasks of an array that ended in one state. */
struct task_span {
    uint64_t job;
    uint64_t first, last; /* indices, inclusive */
    enum job_state state;
};
/* How many, which is known far sooner than which; their indices in ascending order; and the same of
 * those that failed, which goes by an index of them: faster when they are few. */
typedef void (*task_index_fn)(void *arg, uint64_t index);
int task_rows_count(struct db *db, const struct task_span *span, uint64_t *ret, struct error *err);
int task_rows_each_index(struct db *db, const struct task_span *span, task_index_fn each, void *arg,
                         struct error *err);
int task_rows_each_failed(struct db *db, const struct task_span *span, task_index_fn each,
                          void *arg, struct error *err);

/* The indices of its tasks from `index` on, in ascending order. */
int task_rows_each_from(struct db *db, uint64_t job, uint64_t index, task_index_fn each, void *arg,
                        struct error *err);
/* The same with their states, at most so many of them. */
#define TASK_STATES_PAGE 5000U
typedef void (*task_state_fn)(void *arg, uint64_t index, enum job_state state);
int task_rows_each_state(struct db *db, uint64_t job, uint64_t index, task_state_fn each, void *arg,
                         struct error *err);

/* Reads every row, and so checks every checksum. 0, or -1 with ERROR_DAMAGED. */
int task_rows_check(struct db *db, struct error *err);

#endif
