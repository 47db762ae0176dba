/* How many workers there are: the engine's side of core/scaler.h, and what is ordered about them.
 * Orders are in the turn's transaction, and hold over a restart. */
#ifndef BATCHD_DAEMON_ENGINE_WORKERS_H
#define BATCHD_DAEMON_ENGINE_WORKERS_H

#include "common/error.h"
#include "daemon/core/scaler.h"
#include "daemon/core/worker_facts.h"

struct engine;

/* The engine's. */
struct scaling {
    struct scaler scaler;
    struct scaler_decision decision; /* of the last turn */
    uint32_t workers;                /* that there were then, those to come included */
    uint32_t min, max;               /* of the configuration; the options have those that count */
    bool ordered;                    /* they were set by an order */
};

/* The start: what the configuration says, or what was ordered. 0 or -1. */
int engine_begin_scaling(struct engine *engine, struct error *err);
/* After the round: makes workers, and lets them go. */
void engine_scale(struct engine *engine);

const struct scaling *engine_scaling(const struct engine *engine);
/* So many there are to be now. */
uint32_t engine_workers_wanted(const struct engine *engine);

/* What a worker runs, or begins next. */
struct worker_job {
    uint64_t id, index;
    bool is_task;
    uint32_t attempt, uid;
    int64_t started_at; /* 0: it has not said so */
};
bool engine_worker_job(const struct engine *engine, uint64_t worker, struct worker_job *ret);

#define SCALING_WORKERS_MAX 4096U /* as workers.max */
/* From now on there are at least `min` and at most `max`, min <= max, 1 <= max; those above that
 * finish their job and leave. */
void engine_set_workers(struct engine *engine, uint32_t min, uint32_t max);
/* As the configuration says. */
void engine_reset_workers(struct engine *engine);
/* The worker finishes the job that it runs, gives back what it has ahead, and leaves; no-op when it
 * does that already. ERROR_NOT_FOUND: there is none of this id, or it is dead. */
int engine_drain_worker(struct engine *engine, uint64_t id, struct error *err);

#endif
