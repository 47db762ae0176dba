#include "daemon/core/scheduler.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct scheduler {
    struct resources total;
    struct request_table *requests;
    struct fair_share *share;
    struct queue *queue;
    struct running_set running;
    /* The round: free is kept over rounds too. */
    int64_t now;
    struct ready_limits limits;
    const struct sched_job *reserved; /* NULL: nothing was blocked so far */
    int64_t reserved_at;
    bool over;
};

struct scheduler *scheduler_new(const struct scheduler_options *options)
{
    struct scheduler *scheduler = xcalloc(1, sizeof(*scheduler));
    scheduler->total = options->total;
    scheduler->requests = request_table_new();
    scheduler->share = fair_share_new(options->half_life_us);
    scheduler->queue = queue_new(&options->queue, scheduler->share);
    scheduler->limits.requests = scheduler->requests;
    scheduler->limits.free = options->total;
    return scheduler;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    queue_free(scheduler->queue);
    fair_share_free(scheduler->share);
    request_table_free(scheduler->requests);
    running_set_done(&scheduler->running);
    free(scheduler);
}

void scheduler_add(struct scheduler *scheduler, struct sched_job *job,
                   const struct resources *wanted, int64_t now)
{
    assert(resources_fit(wanted, &scheduler->total));
    job->request = request_table_take(scheduler->requests, wanted);
    job->cpus = (uint32_t)wanted->amount[RESOURCE_CPUS];
    queue_add(scheduler->queue, job, now);
}

void scheduler_withdraw(struct scheduler *scheduler, struct sched_job *job)
{
    queue_remove(scheduler->queue, job);
    request_table_release(scheduler->requests, job->request);
}

static const struct resources *wanted_by(const struct scheduler *scheduler,
                                         const struct sched_job *job)
{
    return request_table_at(scheduler->requests, job->request);
}

static double rate_of(const struct scheduler *scheduler, const struct sched_job *job)
{
    return resources_dominant(wanted_by(scheduler, job), &scheduler->total);
}

void scheduler_begin(struct scheduler *scheduler, int64_t now)
{
    queue_advance(scheduler->queue, now);
    scheduler->now = now;
    scheduler->reserved = NULL;
    scheduler->over = false;
    /* Until something is blocked, whatever fits may start. */
    scheduler->limits.window_us = NEVER;
    memset(&scheduler->limits.left_over, 0, sizeof(scheduler->limits.left_over));
}

/* When nobody knows when it can start, only what fits beside it may: window 0. */
static void reserve(struct scheduler *scheduler, const struct sched_job *job)
{
    const struct resources *wanted = wanted_by(scheduler, job);
    struct resources there = scheduler->limits.free;
    int64_t at =
        running_set_room(&scheduler->running, scheduler->requests, wanted, scheduler->now, &there);
    resources_take(&there, wanted);
    scheduler->reserved = job;
    scheduler->reserved_at = at;
    scheduler->limits.left_over = there;
    scheduler->limits.window_us = at == NEVER ? 0 : at - scheduler->now;
}

static struct sched_job *choose(struct scheduler *scheduler)
{
    struct sched_job *first = queue_first(scheduler->queue);
    if (first == NULL)
        return NULL;
    if (scheduler->reserved == NULL) {
        if (ready_fits(first, &scheduler->limits))
            return first;
        if (queue_settings(scheduler->queue)->backfill == QUEUE_BACKFILL_NONE)
            return NULL;
        reserve(scheduler, first);
    }
    return queue_fitting(scheduler->queue, &scheduler->limits);
}

static void start(struct scheduler *scheduler, struct sched_job *job)
{
    const struct resources *wanted = wanted_by(scheduler, job);
    int64_t ends_at =
        job->estimate_us > NEVER - scheduler->now ? NEVER : scheduler->now + job->estimate_us;
    queue_remove(scheduler->queue, job);
    resources_take(&scheduler->limits.free, wanted);
    if (scheduler->reserved != NULL && job->estimate_us > scheduler->limits.window_us)
        resources_take(&scheduler->limits.left_over, wanted);
    running_set_add(
        &scheduler->running,
        &(struct running){.job = job, .started_at = scheduler->now, .ends_at = ends_at});
    fair_share_start(scheduler->share, fair_share_user(scheduler->share, job->uid),
                     rate_of(scheduler, job), scheduler->now);
}

struct sched_job *scheduler_next(struct scheduler *scheduler)
{
    struct sched_job *job = scheduler->over ? NULL : choose(scheduler);
    if (job == NULL)
        scheduler->over = true;
    else
        start(scheduler, job);
    return job;
}

void scheduler_end(struct scheduler *scheduler, struct sched_job *job, int64_t now)
{
    struct running was;
    bool found = running_set_take(&scheduler->running, job, &was);
    assert(found);
    (void)found;
    fair_share_end(scheduler->share, fair_share_user(scheduler->share, job->uid),
                   rate_of(scheduler, job), now);
    resources_add(&scheduler->limits.free, wanted_by(scheduler, job));
    request_table_release(scheduler->requests, job->request);
}

int64_t scheduler_next_alarm(const struct scheduler *scheduler)
{
    return queue_next_alarm(scheduler->queue);
}

size_t scheduler_waiting(const struct scheduler *scheduler)
{
    return queue_count(scheduler->queue);
}

const struct resources *scheduler_free_resources(const struct scheduler *scheduler)
{
    return &scheduler->limits.free;
}

const struct sched_job *scheduler_reserved(const struct scheduler *scheduler, int64_t *ret_at)
{
    *ret_at = scheduler->reserved_at;
    return scheduler->reserved;
}

struct fair_share *scheduler_share(const struct scheduler *scheduler)
{
    return scheduler->share;
}
