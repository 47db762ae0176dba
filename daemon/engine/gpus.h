/* GPUs as the engine knows them: which jobs are on them. */
#ifndef BATCHD_DAEMON_ENGINE_GPUS_H
#define BATCHD_DAEMON_ENGINE_GPUS_H

#include "common/worker_protocol.h"

struct engine;

/* The job, or task, that runs at this worker, and whose it is. False: none does. */
bool engine_job_at_worker(const struct engine *engine, uint64_t worker, struct attempt_id *ret,
                          uint32_t *ret_uid);

#endif
