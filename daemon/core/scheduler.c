#include "daemon/core/scheduler.h"

#include "common/alloc.h"
#include "daemon/core/scheduler_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(SCHEDULER_LANES == SCHEDULER_QUEUES, "a lane for each queue");

/* One start in a queue of weight 1. Weights reach 1,000: the division loses less than one in a
 * thousand. 2^44 starts fill 64 bits, at 10,000 a second in 55 years. */
#define TURN (UINT64_C(1) << 20U)
/* Two, since a heavy queue may have to leave one to the others while its own job runs. */
#define TURNS_OWED (2 * TURN)

struct scheduler *scheduler_new(const struct scheduler_options *options)
{
    struct scheduler *scheduler = xcalloc(1, sizeof(*scheduler));
    scheduler->machine.total = scheduler->whole = options->total;
    scheduler->gpus.count = options->total.amount[RESOURCE_GPUS] < GPUS_MAX
                                ? (uint32_t)options->total.amount[RESOURCE_GPUS]
                                : GPUS_MAX;
    scheduler->limits.gpus = &scheduler->gpus;
    scheduler->limits.depth = options->backfill_depth;
    scheduler->requests = request_table_new();
    scheduler->share = fair_share_new(options->half_life_us);
    scheduler->limits.requests = scheduler->requests;
    scheduler->limits.free = scheduler->unused = options->total;
    (void)scheduler_add_queue(scheduler, &options->queue);
    return scheduler;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    for (unsigned i = 0; i < scheduler->lane_count; i++)
        queue_free(scheduler->lanes[i].queue);
    fair_share_free(scheduler->share);
    request_table_free(scheduler->requests);
    running_set_done(&scheduler->running);
    free(scheduler);
}

/* ---- queues ---- */

int scheduler_add_queue(struct scheduler *scheduler, const struct queue_settings *settings)
{
    unsigned number = 0;
    while (number < scheduler->lane_count && scheduler->lanes[number].queue != NULL)
        number++;
    if (number == SCHEDULER_QUEUES)
        return -1;
    if (number == scheduler->lane_count)
        scheduler->lane_count++;
    scheduler->lanes[number] = (struct lane){.queue = queue_new(settings, scheduler->share)};
    return (int)number;
}

void scheduler_remove_queue(struct scheduler *scheduler, uint8_t number)
{
    struct lane *lane = &scheduler->lanes[number];
    assert(number > 0 && queue_count(lane->queue) == 0 && queue_running(lane->queue) == 0);
    queue_free(lane->queue);
    *lane = (struct lane){.queue = NULL};
    scheduler->owed = scheduler->owed == lane ? NULL : scheduler->owed;
}

void scheduler_change_queue(struct scheduler *scheduler, uint8_t number,
                            const struct queue_settings *settings, int64_t now)
{
    queue_change(scheduler->lanes[number].queue, settings, now);
}

static bool waits(const struct lane *lane)
{
    return lane->queue != NULL && queue_count(lane->queue) > 0 && !queue_paused(lane->queue);
}

/* None of those that wait is more than two turns behind one that starts, whatever it had to start
 * before and whatever the others had: what is owed to one is its turn, not its past. */
static void stay_near(struct lane *lane, uint64_t served)
{
    if (lane->served + TURNS_OWED < served)
        lane->served = served - TURNS_OWED;
}

/* It has something to start again. */
static void catch_up(struct scheduler *scheduler, struct lane *back)
{
    for (unsigned i = 0; i < scheduler->lane_count; i++)
        stay_near(back, scheduler->lanes[i].served);
}

static void serve(struct scheduler *scheduler, struct lane *served)
{
    uint32_t weight = queue_settings(served->queue)->weight;
    served->served += TURN / (weight == 0 ? 1 : weight);
    for (unsigned i = 0; i < scheduler->lane_count; i++) {
        if (waits(&scheduler->lanes[i]))
            stay_near(&scheduler->lanes[i], served->served);
    }
}

void scheduler_pause_queue(struct scheduler *scheduler, uint8_t number, bool paused)
{
    struct lane *lane = &scheduler->lanes[number];
    if (queue_paused(lane->queue) && !paused)
        catch_up(scheduler, lane);
    queue_pause(scheduler->lanes[number].queue, paused);
}

const struct queue *scheduler_queue_at(const struct scheduler *scheduler, uint8_t number)
{
    return scheduler->lanes[number].queue;
}

struct run_move {
    struct scheduler *scheduler;
    uint8_t from, to;
};

static void move_run(struct running *running, void *arg)
{
    const struct run_move *move = arg;
    if (running->queue != move->from)
        return;
    queue_end(move->scheduler->lanes[move->from].queue, running->uid);
    queue_run(move->scheduler->lanes[move->to].queue, running->uid);
    running->queue = move->to;
}

void scheduler_move_runs(struct scheduler *scheduler, uint8_t from, uint8_t to)
{
    struct run_move move = {scheduler, from, to};
    running_set_walk(&scheduler->running, move_run, &move);
}

uint64_t scheduler_move_run(struct scheduler *scheduler, uint64_t run, uint8_t to)
{
    struct running running;
    bool found = running_set_take(&scheduler->running, scheduler->requests, run, &running);
    assert(found);
    (void)found;
    queue_end(scheduler->lanes[running.queue].queue, running.uid);
    queue_run(scheduler->lanes[to].queue, running.uid);
    running.queue = to;
    return running_set_add(&scheduler->running, scheduler->requests, &running);
}

int scheduler_owed(const struct scheduler *scheduler)
{
    return scheduler->owed == NULL || scheduler->owed_left
               ? -1
               : (int)(scheduler->owed - scheduler->lanes);
}

static void owe(struct scheduler *scheduler, struct lane *lane, uint64_t job)
{
    scheduler->owed = lane;
    scheduler->owed_job = job;
    scheduler->owed_left = false;
}

void scheduler_owe(struct scheduler *scheduler, uint8_t number)
{
    owe(scheduler, &scheduler->lanes[number], 0);
}

uint64_t scheduler_served(const struct scheduler *scheduler, uint8_t number)
{
    return scheduler->lanes[number].served;
}

void scheduler_set_served(struct scheduler *scheduler, uint8_t number, uint64_t served)
{
    scheduler->lanes[number].served = served;
}

static struct queue *queue_of(const struct scheduler *scheduler, const struct job *job)
{
    return scheduler->lanes[job->queue].queue;
}

/* ---- jobs ---- */

const struct resources *scheduler_wanted(const struct scheduler *scheduler, const struct job *job)
{
    return request_table_at(scheduler->requests, job->request);
}

static bool ever_fits(const struct scheduler *scheduler, const struct resources *wanted)
{
    return resources_fit(wanted, &scheduler->machine.total) &&
           (!gpu_pool_asked(wanted) || gpu_pool_ever_fits(&scheduler->gpus, wanted));
}

bool scheduler_ever_fits(const struct scheduler *scheduler, const struct job *job)
{
    return ever_fits(scheduler, scheduler_wanted(scheduler, job));
}

void scheduler_learn(struct scheduler *scheduler, struct job *job, const struct resources *wanted)
{
    job->request = request_table_take(scheduler->requests, wanted);
    job->cpus = wanted->amount[RESOURCE_CPUS] > UINT32_MAX
                    ? UINT32_MAX
                    : (uint32_t)wanted->amount[RESOURCE_CPUS];
    job->alarm_at = NO_ALARM;
    job->queued = job->parked = false;
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
    scheduler->limits.gpus_beside = true;
    memset(&scheduler->limits.left_over, 0, sizeof(scheduler->limits.left_over));
    for (unsigned i = 0; i < scheduler->lane_count; i++)
        scheduler->lanes[i].closed = scheduler->lanes[i].blocked = false;
}

void scheduler_begin(struct scheduler *scheduler, int64_t now)
{
    for (unsigned i = 0; i < scheduler->lane_count; i++) {
        if (scheduler->lanes[i].queue != NULL)
            queue_advance(scheduler->lanes[i].queue, now);
    }
    scheduler->now = now;
    open_round(scheduler);
}

static bool is_owed(const struct scheduler *scheduler, const struct job *job)
{
    return scheduler->owed == &scheduler->lanes[job->queue] && scheduler->owed_job == job->id;
}

void scheduler_queue(struct scheduler *scheduler, struct job *job, int64_t now)
{
    if (job->queued)
        return;
    if (!scheduler_ever_fits(scheduler, job)) {
        job->parked = scheduler_asks_for_what_goes(scheduler_wanted(scheduler, job));
        return;
    }
    job->queued = true;
    job->parked = false;
    if (queue_count(queue_of(scheduler, job)) == 0)
        catch_up(scheduler, &scheduler->lanes[job->queue]);
    queue_add(queue_of(scheduler, job), job, now);
    if (is_owed(scheduler, job))
        scheduler->owed_left = false;
}

void scheduler_unqueue(struct scheduler *scheduler, struct job *job)
{
    job->parked = false;
    if (!job->queued)
        return;
    job->queued = false;
    queue_remove(queue_of(scheduler, job), job);
    if (is_owed(scheduler, job))
        scheduler->owed_left = true;
    if (scheduler->reserved == job) /* others may be first now */
        open_round(scheduler);
}

/* When nobody knows when it can start, only what fits beside it may: window 0. Where GPUs are free
 * and not as it needs them, none is left over: shares on one after the other would keep it waiting.
 */
static void reserve(struct scheduler *scheduler, const struct job *job)
{
    struct occupancy then = scheduler->machine;
    const struct resources *wanted = scheduler_wanted(scheduler, job);
    const struct resources room = scheduler_room_of(scheduler, wanted, &then);
    int64_t at =
        running_set_room(&scheduler->running, scheduler->requests, &room, scheduler->now, &then);
    resources_add(&then.used, &room);
    scheduler->reserved = job;
    scheduler->reserved_at = at;
    resources_left(&then.total, &then.used, &scheduler->limits.left_over);
    scheduler->limits.gpus_beside =
        !gpu_pool_asked(wanted) || !resources_fit(wanted, &scheduler->limits.free);
    scheduler->limits.window_us = at == NEVER ? 0 : at - scheduler->now;
}

/* ---- between queues ---- */

static uint64_t weight_of(const struct lane *lane)
{
    uint32_t weight = queue_settings(lane->queue)->weight;
    return weight == 0 ? 1 : weight;
}

/* When its first job had waited max_delay, or NEVER: it has not, or it was blocked in this round
 * already, and the others of the queue have no claim on its delay. */
static int64_t overdue_at(const struct lane *lane)
{
    return lane->blocked ? NEVER : queue_overdue_at(lane->queue);
}

/* An overdue job goes before all others, of whichever queue. Else the least running / weight,
 * without rounding; then the least served; then the lower number. */
static bool goes_before(const struct lane *a, const struct lane *b)
{
    if (b == NULL)
        return true;
    int64_t due_a = overdue_at(a);
    int64_t due_b = overdue_at(b);
    if (due_a != due_b)
        return due_a < due_b;
    uint64_t load_a = queue_running(a->queue) * weight_of(b);
    uint64_t load_b = queue_running(b->queue) * weight_of(a);
    return load_a != load_b ? load_a < load_b : a->served < b->served;
}

static bool is_open(const struct lane *lane)
{
    return lane->queue != NULL && !lane->closed && queue_count(lane->queue) > 0 &&
           queue_room(lane->queue) > 0;
}

static struct lane *best_lane(struct scheduler *scheduler)
{
    struct lane *best = NULL;
    struct lane *owed = scheduler->owed_left ? NULL : scheduler->owed;
    for (unsigned i = 0; i < scheduler->lane_count; i++) {
        struct lane *lane = &scheduler->lanes[i];
        if (is_open(lane) && goes_before(lane, best))
            best = lane;
    }
    if (best == NULL || owed == NULL || !is_open(owed) || owed->blocked)
        return best;
    return overdue_at(owed) <= overdue_at(best) ? owed : best;
}

/* What may pass the queue's first job. Where the reservation is another queue's, the first is not
 * kept from starting later and later by what passes it: that is over by the time of the
 * reservation. So what the queue has running becomes less, until its turn to reserve comes. */
static struct job *next_behind(struct scheduler *scheduler, struct lane *lane)
{
    struct ready_limits limits = scheduler->limits;
    if (scheduler->owed != lane)
        memset(&limits.left_over, 0, sizeof(limits.left_over));
    return queue_fitting(lane->queue, &limits);
}

/* What of this queue starts next in the round, or NULL: nothing more. */
static struct job *next_of(struct scheduler *scheduler, struct lane *lane)
{
    bool passes = queue_settings(lane->queue)->backfill == QUEUE_BACKFILL_EASY;
    struct job *first = lane->blocked ? NULL : queue_first(lane->queue);
    if (first != NULL) {
        if (ready_fits(first, &scheduler->limits) || scheduler_may_start_alone(scheduler, first)) {
            scheduler->owed = scheduler->owed == lane ? NULL : scheduler->owed;
            return first;
        }
        lane->blocked = true;
        if (scheduler->reserved == NULL && (passes || scheduler->lane_count > 1)) {
            reserve(scheduler, first);
            owe(scheduler, lane, first->id);
        }
    }
    return lane->blocked && passes ? next_behind(scheduler, lane) : NULL;
}

struct job *scheduler_next(struct scheduler *scheduler)
{
    struct lane *lane;
    while ((lane = best_lane(scheduler)) != NULL) {
        struct job *job = next_of(scheduler, lane);
        if (job != NULL)
            return job;
        lane->closed = true;
    }
    return NULL;
}

struct job *scheduler_first(const struct scheduler *scheduler)
{
    const struct lane *best = NULL;
    struct job *first = NULL;
    for (unsigned i = 0; i < scheduler->lane_count; i++) {
        const struct lane *lane = &scheduler->lanes[i];
        if (lane->queue == NULL || queue_paused(lane->queue) || !goes_before(lane, best))
            continue;
        struct job *job = queue_first(lane->queue);
        if (job != NULL) {
            best = lane;
            first = job;
        }
    }
    return first;
}

unsigned scheduler_reasons(const struct scheduler *scheduler, const struct job *job)
{
    const struct queue *queue = queue_of(scheduler, job);
    unsigned reasons = queue_paused(queue) ? WAIT_QUEUE_PAUSED : 0;
    if (queue_user_full(queue, job->uid))
        reasons |= WAIT_USER_LIMIT;
    if (!scheduler_ever_fits(scheduler, job))
        return reasons | WAIT_RESOURCES;
    if (reasons != 0)
        return reasons;
    return job == queue_first(queue) ? WAIT_RESOURCES : WAIT_PRIORITY;
}

/* ---- what runs ---- */

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

uint64_t scheduler_running(const struct scheduler *scheduler)
{
    uint64_t running = 0;
    for (unsigned i = 0; i < scheduler->lane_count; i++)
        running += scheduler->lanes[i].queue == NULL ? 0 : queue_running(scheduler->lanes[i].queue);
    return running;
}

uint64_t scheduler_run(struct scheduler *scheduler, const struct job *job, int64_t started_at)
{
    return scheduler_run_on(scheduler, job, started_at, scheduler_choose_gpus(scheduler, job));
}

uint64_t scheduler_run_on(struct scheduler *scheduler, const struct job *job, int64_t started_at,
                          uint64_t gpus)
{
    const struct resources *wanted = request_table_at(scheduler->requests, job->request);
    const struct running running = {.request = job->request,
                                    .uid = job->uid,
                                    .queue = job->queue,
                                    .ends_at = later(started_at, job->estimate_us),
                                    .gpus = gpus};
    gpu_pool_take(&scheduler->gpus, gpus, wanted);
    request_table_hold(scheduler->requests, job->request);
    resources_add(&scheduler->machine.used, wanted);
    scheduler_count_free(scheduler);
    use_left_over(scheduler, job, wanted);
    queue_run(queue_of(scheduler, job), job->uid);
    serve(scheduler, &scheduler->lanes[job->queue]);
    fair_share_start(scheduler->share, fair_share_user(scheduler->share, job->uid),
                     resources_dominant(wanted, &scheduler->whole), started_at);
    return running_set_add(&scheduler->running, scheduler->requests, &running);
}

void scheduler_hand_ahead(struct scheduler *scheduler, const struct job *job)
{
    if (scheduler->owed == &scheduler->lanes[job->queue])
        scheduler->owed = NULL;
}

void scheduler_end(struct scheduler *scheduler, uint64_t run, int64_t now)
{
    struct running was;
    bool found = running_set_take(&scheduler->running, scheduler->requests, run, &was);
    assert(found);
    (void)found;
    const struct resources *wanted = request_table_at(scheduler->requests, was.request);
    fair_share_end(scheduler->share, fair_share_user(scheduler->share, was.uid),
                   resources_dominant(wanted, &scheduler->whole), now);
    resources_take(&scheduler->machine.used, wanted);
    scheduler_give_gpus_back(scheduler, was.gpus, wanted);
    queue_end(scheduler->lanes[was.queue].queue, was.uid);
    request_table_release(scheduler->requests, was.request);
}

void scheduler_charge(struct scheduler *scheduler, uint32_t uid, const struct resources *held,
                      int64_t started_at, int64_t ended_at)
{
    fair_share_add(scheduler->share, fair_share_user(scheduler->share, uid),
                   resources_dominant(held, &scheduler->whole), started_at, ended_at);
}

void scheduler_discharge(struct scheduler *scheduler, uint32_t uid, const struct resources *held,
                         int64_t started_at, int64_t ended_at)
{
    fair_share_add(scheduler->share, fair_share_user(scheduler->share, uid),
                   -resources_dominant(held, &scheduler->whole), started_at, ended_at);
}

int64_t scheduler_next_alarm(const struct scheduler *scheduler)
{
    int64_t at = NEVER;
    for (unsigned i = 0; i < scheduler->lane_count; i++) {
        const struct queue *queue = scheduler->lanes[i].queue;
        if (queue != NULL && queue_next_alarm(queue) < at)
            at = queue_next_alarm(queue);
    }
    return at;
}

size_t scheduler_waiting(const struct scheduler *scheduler)
{
    size_t waiting = 0;
    for (unsigned i = 0; i < scheduler->lane_count; i++) {
        const struct queue *queue = scheduler->lanes[i].queue;
        if (queue == NULL)
            continue;
        size_t room = queue_room(queue);
        waiting += queue_count(queue) < room ? queue_count(queue) : room;
    }
    return waiting;
}

const struct resources *scheduler_total(const struct scheduler *scheduler)
{
    return &scheduler->machine.total;
}

uint64_t scheduler_room_for(const struct scheduler *scheduler, const struct job *job,
                            uint64_t limit)
{
    uint64_t room = queue_room(queue_of(scheduler, job));
    if (scheduler_may_start_alone(scheduler, job))
        return room > 0 && limit > 0;
    return resources_times(scheduler_wanted(scheduler, job), &scheduler->limits.free,
                           limit < room ? limit : room);
}

const struct resources *scheduler_free_resources(const struct scheduler *scheduler)
{
    return &scheduler->unused;
}

const struct resources *scheduler_available(const struct scheduler *scheduler)
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
