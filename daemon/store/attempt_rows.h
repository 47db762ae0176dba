/* How earlier attempts of a job or a task ended: history, kept when it is tried again. */
#ifndef BATCHD_DAEMON_STORE_ATTEMPT_ROWS_H
#define BATCHD_DAEMON_STORE_ATTEMPT_ROWS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"

/* Keeps how the attempt that `status` is about ended, before the next one begins. */
int attempt_rows_keep(struct db *db, const struct job_status *status, struct error *err);

/* Calls with each kept attempt of the job or task that `of` names (id, is_task, index), oldest
 * first, until it returns non-zero. */
typedef int (*attempt_row_fn)(void *arg, const struct job_status *attempt);
int attempt_rows_each(struct db *db, const struct job_status *of, attempt_row_fn each, void *arg,
                      struct error *err);

#endif
