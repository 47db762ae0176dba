/* Why a job does not get the GPUs that it asks for, GPU by GPU. */
#ifndef BATCHD_DAEMON_API_REASON_GPUS_H
#define BATCHD_DAEMON_API_REASON_GPUS_H

#include "daemon/engine/engine.h"

#include <stdio.h>

/* They are not to be had now: there may be enough of them, and none as it needs it. */
bool reason_lacks_gpus(const struct engine *engine, const struct job *job);
/* "it asks for 1 gpu (GPU 0 (A100): its driver no longer shows it; GPU 1 (A100): a job has it)" */
void reason_put_gpus(const struct engine *engine, const struct job *job, FILE *detail);

/* "; GPU 0 (A100): its driver no longer shows it", of each that is given to no job, where it asks
 * for any. */
void reason_put_out_gpus(const struct engine *engine, const struct job *job, FILE *detail);

#endif
