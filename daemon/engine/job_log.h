/* The journal's lines about a job: "journalctl BATCHD_JOB_ID=42" finds them, -x explains them.
 * Fields: BATCHD_JOB_ID, BATCHD_ARRAY_INDEX of a task, BATCHD_ATTEMPT, BATCHD_UID, BATCHD_STATE,
 * BATCHD_RESULT, BATCHD_EXIT_STATUS or BATCHD_SIGNAL, BATCHD_WORKER. No text of the job's is in
 * them: others may read the journal. */
#ifndef BATCHD_DAEMON_ENGINE_JOB_LOG_H
#define BATCHD_DAEMON_ENGINE_JOB_LOG_H

#include "daemon/core/ending.h"

/* It runs; not said of the shortest jobs, whose end alone is reported (STARTED_DELAY_MS). */
void job_log_started(const struct job *job, const struct job_status *status);
void job_log_end(const struct job *job, const struct job_status *status, enum ending ending);

#endif
