/* What has ended, for `batchctl stats --by name`: read in parts of so many rows, so that nobody
 * waits for all of them. A task of an array counts like a job, the array itself does not; tasks
 * that were cancelled before they started count once it has ended. */
#ifndef BATCHD_DAEMON_STORE_TOTAL_ROWS_H
#define BATCHD_DAEMON_STORE_TOTAL_ROWS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"

/* What is read, and how far that is; the rest is zero at first. */
struct total_cursor {
    int64_t since; /* what ended then or later; 0: whenever */
    unsigned rows; /* a part is so many */
    uint64_t job;
    bool of_tasks;
    int64_t index; /* of the task behind which it begins */
};

/* One job or task, or all tasks of an array that never started. The name is borrowed. */
struct ended {
    uint32_t uid;
    const char *name;
    enum job_state state;
    int64_t count; /* it counts so often: 0, or less when the array has counted it */
    bool started;  /* then the next are of its last attempt, from when it could have started */
    int64_t wait_us, run_us;
};

/* Calls `each` for what ended in the next part. 1: there may be more; 0: that was all; -1 with err.
 * Numbers and names are read without their checksums. */
typedef void (*ended_fn)(void *arg, const struct ended *ended);
int total_rows_next(struct db *db, struct total_cursor *cursor, ended_fn each, void *arg,
                    struct error *err);

#endif
