/* From what a worker reports to what the job's record says. Pure. */
#ifndef BATCHD_DAEMON_ENGINE_OUTCOME_H
#define BATCHD_DAEMON_ENGINE_OUTCOME_H

#include "common/worker_protocol.h"
#include "daemon/core/job.h"

/* What is to become of a job whose attempt ended. */
enum ending {
    ENDING_COMPLETED,
    ENDING_FAILED,
    ENDING_CANCELLED,
    ENDING_AGAIN_CHARGED, /* another attempt; this one counts */
    ENDING_AGAIN_FREE,    /* another attempt; the host caused the end, it does not count */
};

/* Fills outcome and usage of `status` from the exit record. */
void outcome_from_exit(const struct job_exit *end, bool is_processor, struct job_status *status);

/* The outcome of an attempt whose worker died. `tree_dead` is false when nobody could prove that
 * the job's processes are gone; such a job is never run again by itself. */
void outcome_lost(bool tree_dead, struct job_status *status);

/* Decides what follows status->outcome. Host-caused ends (lost) are run again without charge unless
 * the job forbids it or was lost JOB_LOSSES_MAX times; others while attempts are left. Ends that a
 * retry cannot mend (the program could not be started, cancelled) are final. */
enum ending outcome_ending(const struct job_status *status, uint32_t max_attempts,
                           bool rerun_if_lost, bool tree_dead);

#endif
