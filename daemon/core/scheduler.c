#include "daemon/core/scheduler.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct scheduler {
    struct occupancy machine;
    struct request_table *requests;
    struct fair_share *share;
    struct queue *queue;
    struct running_set running;
    /* The round: free is kept over rounds too. */
    int64_t now;
    struct ready_limits limits;
    const struct job *reserved; /* NULL: nothing was blocked so far */
    int64_t reserved_at;
    uint64_t last_run;
};

struct scheduler *scheduler_new(const struct scheduler_options *options)
{
    struct scheduler *scheduler = xcalloc(1, sizeof(*scheduler));
    scheduler->machine.total = options->total;
    scheduler->limits.depth = options->backfill_depth;
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

static const struct resources *wanted_by(const struct scheduler *scheduler, const struct job *job)
{
    return request_table_at(scheduler->requests, job->request);
}

bool scheduler_ever_fits(const struct scheduler *scheduler, const struct job *job)
{
    return resources_fit(wanted_by(scheduler, job), &scheduler->machine.total);
}

void scheduler_learn(struct scheduler *scheduler, struct job *job, const struct resources *wanted)
{
    job->request = request_table_take(scheduler->requests, wanted);
    job->cpus = wanted->amount[RESOURCE_CPUS] > UINT32_MAX
                    ? UINT32_MAX
                    : (uint32_t)wanted->amount[RESOURCE_CPUS];
    job->alarm_at = NO_ALARM;
    job->queued = false;
}

void scheduler_forget(struct scheduler *scheduler, struct job *job)
{
    assert(!job->queued);
    request_table_release(scheduler->requests, job->request);
}

/* Until something is blocked, whatever fits may start. */
static void open_round(struct scheduler *scheduler)
{
    scheduler->reserved = NULL;
    scheduler->limits.window_us = NEVER;
    memset(&scheduler->limits.left_over, 0, sizeof(scheduler->limits.left_over));
}

void scheduler_begin(struct scheduler *scheduler, int64_t now)
{
    queue_advance(scheduler->queue, now);
    scheduler->now = now;
    open_round(scheduler);
}

void scheduler_queue(struct scheduler *scheduler, struct job *job, int64_t now)
{
    if (job->queued || !scheduler_ever_fits(scheduler, job))
        return;
    job->queued = true;
    queue_add(scheduler->queue, job, now);
}

void scheduler_unqueue(struct scheduler *scheduler, struct job *job)
{
    if (!job->queued)
        return;
    job->queued = false;
    queue_remove(scheduler->queue, job);
    if (scheduler->reserved == job) /* others may be first now */
        open_round(scheduler);
}

/* When nobody knows when it can start, only what fits beside it may: window 0. */
static void reserve(struct scheduler *scheduler, const struct job *job)
{
    const struct resources *wanted = wanted_by(scheduler, job);
    struct occupancy then = scheduler->machine;
    int64_t at =
        running_set_room(&scheduler->running, scheduler->requests, wanted, scheduler->now, &then);
    resources_add(&then.used, wanted);
    scheduler->reserved = job;
    scheduler->reserved_at = at;
    resources_left(&then.total, &then.used, &scheduler->limits.left_over);
    scheduler->limits.window_us = at == NEVER ? 0 : at - scheduler->now;
}

struct job *scheduler_first(const struct scheduler *scheduler)
{
    return queue_first(scheduler->queue);
}

struct job *scheduler_next(struct scheduler *scheduler)
{
    struct job *first = queue_first(scheduler->queue);
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

static int64_t later(int64_t at, int64_t span)
{
    return span > NEVER - at ? NEVER : at + span;
}

/* Beside a reservation: what does not end before it uses what is left over. It may also be one that
 * was handed ahead and has the resources of one before it: that does not count again. */
static void use_left_over(struct scheduler *scheduler, const struct job *job,
                          const struct resources *wanted)
{
    if (scheduler->reserved != NULL && job->estimate_us > scheduler->limits.window_us &&
        resources_fit(wanted, &scheduler->limits.left_over))
        resources_take(&scheduler->limits.left_over, wanted);
}

static void count_free(struct scheduler *scheduler)
{
    resources_left(&scheduler->machine.total, &scheduler->machine.used, &scheduler->limits.free);
}

uint64_t scheduler_run(struct scheduler *scheduler, const struct job *job, int64_t started_at)
{
    const struct resources *wanted = request_table_at(scheduler->requests, job->request);
    const struct running running = {.run = ++scheduler->last_run,
                                    .request = job->request,
                                    .uid = job->uid,
                                    .ends_at = later(started_at, job->estimate_us)};
    request_table_hold(scheduler->requests, job->request);
    resources_add(&scheduler->machine.used, wanted);
    count_free(scheduler);
    use_left_over(scheduler, job, wanted);
    running_set_add(&scheduler->running, &running);
    fair_share_start(scheduler->share, fair_share_user(scheduler->share, job->uid),
                     resources_dominant(wanted, &scheduler->machine.total), started_at);
    return running.run;
}

void scheduler_end(struct scheduler *scheduler, uint64_t run, int64_t now)
{
    struct running was;
    bool found = running_set_take(&scheduler->running, run, &was);
    assert(found);
    (void)found;
    const struct resources *wanted = request_table_at(scheduler->requests, was.request);
    fair_share_end(scheduler->share, fair_share_user(scheduler->share, was.uid),
                   resources_dominant(wanted, &scheduler->machine.total), now);
    resources_take(&scheduler->machine.used, wanted);
    count_free(scheduler);
    request_table_release(scheduler->requests, was.request);
}

void scheduler_charge(struct scheduler *scheduler, uint32_t uid, const struct resources *held,
                      int64_t started_at, int64_t ended_at)
{
    fair_share_add(scheduler->share, fair_share_user(scheduler->share, uid),
                   resources_dominant(held, &scheduler->machine.total), started_at, ended_at);
}

int64_t scheduler_next_alarm(const struct scheduler *scheduler)
{
    return queue_next_alarm(scheduler->queue);
}

size_t scheduler_waiting(const struct scheduler *scheduler)
{
    return queue_count(scheduler->queue);
}

const struct resources *scheduler_total(const struct scheduler *scheduler)
{
    return &scheduler->machine.total;
}

uint64_t scheduler_room_for(const struct scheduler *scheduler, const struct job *job,
                            uint64_t limit)
{
    return resources_times(wanted_by(scheduler, job), &scheduler->limits.free, limit);
}

const struct resources *scheduler_free_resources(const struct scheduler *scheduler)
{
    return &scheduler->limits.free;
}

const struct job *scheduler_reserved(const struct scheduler *scheduler, int64_t *ret_at)
{
    *ret_at = scheduler->reserved_at;
    return scheduler->reserved;
}

struct fair_share *scheduler_share(const struct scheduler *scheduler)
{
    return scheduler->share;
}
