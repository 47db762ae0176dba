/* How earlier attempts of a job or a task ended: history, kept when it is tried again. */
#ifndef BATCHD_DAEMON_STORE_ATTEMPT_ROWS_H
#define BATCHD_DAEMON_STORE_ATTEMPT_ROWS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"

/* How an end counted; the store has these numbers. */
enum attempt_kind {
    ATTEMPT_UNKNOWN, /* kept before schema 6 */
    ATTEMPT_CHARGED,
    ATTEMPT_FREE,    /* its worker was told to end */
    ATTEMPT_LOSS,    /* free, too: the host lost it */
    ATTEMPT_REFUSED, /* free, too: the host had no room for its process, so it did not run */
};

struct attempt_row {
    /* id, is_task, index, attempt, worker, the times, the outcome, the usage; retry_us: so long the
     * next one waited after it. */
    struct job_status status;
    enum attempt_kind kind;
    uint64_t memory_bytes; /* what it asked for, 0: nothing */
};

/* Keeps how an attempt ended, before the next one begins. */
int attempt_rows_keep(struct db *db, const struct attempt_row *row, struct error *err);

/* Calls with each kept attempt of the job or task that `of` names (id, is_task, index), oldest
 * first, until it returns non-zero. ERROR_DAMAGED: one fails its checksum. */
typedef int (*attempt_row_fn)(void *arg, const struct attempt_row *row);
int attempt_rows_each(struct db *db, const struct job_status *of, attempt_row_fn each, void *arg,
                      struct error *err);

/* The newest of them; ret->kind is ATTEMPT_UNKNOWN when there is none. */
int attempt_rows_last(struct db *db, const struct job_status *of, struct attempt_row *ret,
                      struct error *err);

/* How many of them the host lost that ended at `since` or later. */
int attempt_rows_losses(struct db *db, const struct job_status *of, int64_t since, uint32_t *ret,
                        struct error *err);

/* Checks every row. */
int attempt_rows_check(struct db *db, struct error *err);

#endif
