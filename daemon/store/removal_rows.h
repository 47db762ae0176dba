/* Jobs on their way out of the store. A job's rows go in the transaction that says here that its
 * files are to go; the files go after that commit, and then its row here. So a crash leaves neither
 * rows without files nor files that nobody knows of. An array of many tasks goes in parts: from the
 * first part on it is said here, and its row is served no more (job_rows.c). */
#ifndef BATCHD_DAEMON_STORE_REMOVAL_ROWS_H
#define BATCHD_DAEMON_STORE_REMOVAL_ROWS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"
#include "daemon/store/usage_rows.h"

/* Of a stored job, what decides whether it goes. */
struct stored_job {
    uint64_t id;
    enum job_state state;
    uint32_t uid;
    bool parts; /* it may have more rows than are deleted at a time */
    int64_t submitted_at, ended_at;
};

/* Up to `most` jobs with ids beyond `after`, in the order of their ids. How many, or -1. */
int removal_rows_jobs(struct db *db, uint64_t after, struct stored_job *ret, size_t most,
                      struct error *err);

/* Deletes the rows of a job, or of one that has `parts` makes the beginning (removal_rows_part).
 * Its key is free then. `listener` is told of each attempt that goes. */
int removal_rows_begin(struct db *db, const struct stored_job *job,
                       const struct use_listener *listener, struct error *err);
/* Deletes some rows of such jobs, a few milliseconds' worth. 1: there may be more to do; 0: there
 * is nothing. */
int removal_rows_part(struct db *db, const struct use_listener *listener, struct error *err);

/* Up to `most` ids beyond `after` of jobs of which only the files are left. How many, or -1. */
int removal_rows_files(struct db *db, uint64_t after, uint64_t *ret, size_t most,
                       struct error *err);
/* Its files are gone. */
int removal_rows_end(struct db *db, uint64_t job, struct error *err);

int removal_rows_check(struct db *db, struct error *err);

#endif
