/* The declared outputs of a job, in requests and in what is shown. */
#ifndef BATCHD_DAEMON_API_OUTPUTS_H
#define BATCHD_DAEMON_API_OUTPUTS_H

#include "common/json.h"
#include "common/worker_protocol.h"

/* "outputs" and "checks" of a request. 0, or -1 with err; what was read is the run's in any case.
 */
int outputs_decode(const json_t *params, struct job_run *run, struct error *err);
/* "checkpoint_signal": TERM and the like, by which jobs are ended, halted and resumed, are refused.
 */
int checkpoint_signal_decode(const json_t *params, struct job_run *run, struct error *err);
/* The same members; lists are empty when there are none. */
void outputs_view(const struct job_run *run, json_t *object);

#endif
