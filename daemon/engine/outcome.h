/* From what a worker reports to what the job's record says. Pure. */
#ifndef BATCHD_DAEMON_ENGINE_OUTCOME_H
#define BATCHD_DAEMON_ENGINE_OUTCOME_H

#include "common/worker_protocol.h"
#include "daemon/core/job.h"

/* Fills outcome and usage of `status` from the exit record. */
void outcome_from_exit(const struct job_exit *end, bool is_processor, struct job_status *status);

/* The outcome of an attempt whose worker died. `tree_dead` is false when nobody could prove that
 * the job's processes are gone; such a job is never run again by itself. */
void outcome_lost(bool tree_dead, struct job_status *status);

#endif
