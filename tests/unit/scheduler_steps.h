/* What the scheduler's tests share. */
#ifndef BATCHD_TESTS_UNIT_SCHEDULER_STEPS_H
#define BATCHD_TESTS_UNIT_SCHEDULER_STEPS_H

#include "common/clock.h"
#include "daemon/core/scheduler.h"

#define SECONDS(n) ((n)*US_PER_SECOND)

static inline struct job a_job(uint64_t id, uint32_t uid, uint8_t level, int64_t since)
{
    return (struct job){.id = id,
                        .uid = uid,
                        .level = level & JOB_LEVEL_MASK,
                        .since = since,
                        .estimate_us = SECONDS(60)};
}

static inline void add(struct scheduler *scheduler, struct job *job, uint64_t cpus, int64_t now)
{
    const struct resources wanted = {.amount = {[RESOURCE_CPUS] = cpus}};
    scheduler_learn(scheduler, job, &wanted);
    scheduler_queue(scheduler, job, now);
}

/* What the scheduler says is next runs; its number is in *ret_run. */
static inline struct job *start(struct scheduler *scheduler, int64_t now, uint64_t *ret_run)
{
    struct job *job = scheduler_next(scheduler);
    if (job == NULL)
        return NULL;
    *ret_run = scheduler_run(scheduler, job, now);
    scheduler_unqueue(scheduler, job);
    return job;
}

#endif
