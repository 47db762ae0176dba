/* GPUs as the engine knows them: which are there, by what the drivers told last (exec/gpu_watch.c),
 * why one is given to no job, and which jobs are on them. One that vanished, that fails or that
 * others use keeps the jobs that it has. */
#ifndef BATCHD_DAEMON_ENGINE_GPUS_H
#define BATCHD_DAEMON_ENGINE_GPUS_H

#include "common/worker_protocol.h"
#include "daemon/engine/gpu_state.h"

struct engine;
struct gpu_watch;

/* Looks at the newest report, once. */
void engine_look_at_gpus(struct engine *engine);
/* A job that had these has ended. */
void engine_gpus_settle(struct engine *engine, uint64_t set);
/* Which the newest report's GPU `at` is among those that jobs are given; -1: none. */
int engine_gpu_index(const struct engine *engine, uint32_t at);
/* Borrowed. */
const struct gpu_device *engine_gpu(const struct engine *engine, unsigned index);
enum gpu_vendor engine_gpu_vendor(const struct engine *engine);

/* The job, or task, that runs at this worker, and whose it is. False: none does. */
bool engine_job_at_worker(const struct engine *engine, uint64_t worker, struct attempt_id *ret,
                          uint32_t *ret_uid);

#endif
