/* Sums over the jobs that have ended, for `batchctl stats`. A task of an array counts like a job,
 * the array itself does not; tasks that were cancelled before they started count once it has ended.
 */
#ifndef BATCHD_DAEMON_STORE_TOTAL_ROWS_H
#define BATCHD_DAEMON_STORE_TOTAL_ROWS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"

enum total_by { TOTAL_BY_USER, TOTAL_BY_QUEUE, TOTAL_BY_NAME, TOTAL_BY_TYPE, TOTAL_BY_COUNT };

struct total_filter {
    enum total_by by;
    int64_t since; /* ended then or later; 0: whenever */
    bool uid_set;
    uint32_t uid;
    unsigned limit; /* so many groups, those with the most jobs */
};

struct total {
    const char *name; /* of the group, borrowed; NULL: of no type; of a user NULL, its uid counts */
    uint32_t uid;
    uint64_t completed, failed, cancelled;
    /* Means over those that have started: from when they could have started until their last
     * attempt did, and how long that ran. */
    uint64_t started;
    double wait_us, run_us;
};

/* Calls `each` for every group, the largest first. Reads the whole table of jobs, numbers and names
 * without their checksums. */
typedef void (*total_fn)(void *arg, const struct total *total);
int total_rows_each(struct db *db, const struct total_filter *filter, total_fn each, void *arg,
                    struct error *err);

#endif
