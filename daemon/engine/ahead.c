/* Jobs that are handed to a worker ahead of time, while its jobs are short: they ask for exactly
 * what the one before them has, are of its queue, wait behind it in the worker, and have its
 * resources and its slot when it ends, so that nothing is promised twice. Nobody asks the scheduler
 * again then, so only what goes first in its order is handed ahead, and what may not be next any
 * more is asked back: its queue is paused or over its slots, the machine takes none (admission.c),
 * or another job goes first now that needs the room. The worker drops what it has not begun, and
 * that waits again.
 * Where the queue has a limit for each user, whose slot it is matters, and nothing is handed ahead.
 * Not those of a kind that failed lately: when its breaker opens, none of it is to start any more.
 * Not those that ask for GPUs or are bound to processors: which ones they have is told to them when
 * they are handed over, and each has its own (start.c). */
#include "common/clock.h"
#include "daemon/core/job_kind.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/gpus.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/queues.h"

static struct job_kind kind_of(const struct engine *engine, const struct active *entry)
{
    return (struct job_kind){.queue = jobset_find(engine->jobs, entry->status.id)->queue,
                             .asked = entry->asked};
}

static struct job_kind kind_of_next(const struct engine *engine, const struct job *job)
{
    return (struct job_kind){.queue = job->queue,
                             .asked = *scheduler_wanted(engine->scheduler, job)};
}

static bool same_kind(const struct engine *engine, const struct active *a, const struct active *b)
{
    const struct job_kind of_a = kind_of(engine, a);
    const struct job_kind of_b = kind_of(engine, b);
    return job_kind_equal(&of_a, &of_b);
}

void engine_load_worker(struct engine *engine, const struct active *entry)
{
    const struct job_kind kind = kind_of(engine, entry);
    pool_load(engine->pool, entry->status.worker, &kind);
}

/* ---- who has the resources of a worker ---- */

/* It is expected to end as was predicted when it started, also after a restart. */
void engine_hold(struct engine *engine, struct active *entry, int64_t since)
{
    struct job as_started = *jobset_find(engine->jobs, entry->status.id);
    as_started.estimate_us =
        entry->status.predicted_us > 0 ? entry->status.predicted_us : ESTIMATE_UNKNOWN;
    scheduler_learn(engine->scheduler, &as_started, &entry->asked);
    entry->run = scheduler_run_on(engine->scheduler, &as_started, since, entry->status.gpu_set);
    scheduler_forget(engine->scheduler, &as_started);
    entry->held_since = since;
}

/* The one that came first: new entries are put in front. */
static struct active *next_behind(const struct engine *engine, const struct active *entry)
{
    struct active *found = NULL;
    for (struct active *other = engine->active; other != NULL; other = other->next) {
        if (other != entry && other->status.worker == entry->status.worker && other->run == 0)
            found = other;
    }
    return found;
}

void engine_release(struct engine *engine, struct active *entry)
{
    int64_t now = clock_wall_us();
    struct active *next = entry->run == 0 ? NULL : next_behind(engine, entry);
    if (entry->run != 0)
        scheduler_end(engine->scheduler, entry->run, now);
    engine_gpus_settle(engine, entry->status.gpu_set);
    entry->run = 0;
    engine_charge(engine, entry, now);
    if (next == NULL)
        return;
    engine_hold(engine, next, now);
    array_follow_task(engine, next);
}

static struct active *holder_of(const struct engine *engine, uint64_t worker)
{
    struct active *entry = engine->active;
    while (entry != NULL && (entry->status.worker != worker || entry->run == 0))
        entry = entry->next;
    return entry;
}

void engine_take_over(struct engine *engine, struct active *entry)
{
    int64_t now = clock_wall_us();
    struct active *holder = holder_of(engine, entry->status.worker);
    if (entry->run != 0)
        return;
    if (holder != NULL) {
        scheduler_end(engine->scheduler, holder->run, now);
        engine_discharge(engine, holder, now);
        holder->run = 0;
    }
    engine_hold(engine, entry, entry->status.started_at);
}

/* ---- what may be handed ahead ---- */

/* Whether a job of this queue that ends may be followed by the one behind it, unasked. */
static bool goes_on(const struct engine *engine, uint8_t number)
{
    const struct queue *queue = scheduler_queue_at(engine->scheduler, number);
    const struct queue_settings *settings = queue_settings(queue);
    return !queue_paused(queue) && settings->per_user == 0 &&
           (settings->slots == 0 || queue_running(queue) <= settings->slots);
}

static bool may_wait_behind(const struct engine *engine, const struct job *job)
{
    const struct resources *wanted = scheduler_wanted(engine->scheduler, job);
    return !gpu_pool_asked(wanted) && wanted->amount[RESOURCE_BOUND] == 0 &&
           engine_breaker_allows_ahead(engine, job) && goes_on(engine, job->queue);
}

/* The worker behind whose jobs this one may wait, 0: none. */
static uint64_t choose_behind(const struct engine *engine, const struct job *job)
{
    if (!may_wait_behind(engine, job))
        return 0;
    const struct job_kind kind = kind_of_next(engine, job);
    uint64_t worker = pool_choose_behind(engine->pool, &kind);
    /* What runs there may have been moved to another queue. */
    const struct active *holder = worker == 0 ? NULL : holder_of(engine, worker);
    if (holder == NULL || holder->status.state != JOB_STATE_STARTING) /* it is a long one */
        return 0;
    const struct job_kind held = kind_of(engine, holder);
    return job_kind_equal(&held, &kind) ? worker : 0;
}

/* What goes first of all and has not started: it waits for a worker, or for room that is kept for
 * it. NULL: there is none; what waits does so for its own queue's sake. */
static const struct job *first_of_all(const struct engine *engine)
{
    int64_t at;
    const struct job *reserved = scheduler_reserved(engine->scheduler, &at);
    return reserved != NULL ? reserved : engine->unplaced;
}

/* ---- what is asked back ---- */

static bool waits_ahead(const struct active *entry)
{
    return entry->run == 0 && entry->status.state == JOB_STATE_STARTING &&
           !entry->status.cancelling && !entry->asked_back;
}

void engine_ask_back(struct engine *engine, struct active *entry)
{
    const struct job_stop back = {.id = active_id(entry), .only_queued = 1};
    entry->asked_back = true;
    pool_stop(engine->pool, entry->status.worker, &back);
}

void engine_ask_back_all(struct engine *engine, uint64_t worker)
{
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (entry->status.worker == worker && waits_ahead(entry))
            engine_ask_back(engine, entry);
    }
}

/* By rank alone: the finer order of a queue changes with each job that ends. */
static bool goes_behind(const struct engine *engine, const struct job *job, const struct job *first)
{
    const struct queue *queue = scheduler_queue_at(engine->scheduler, job->queue);
    if (job->queue != first->queue || job->rank == RANK_OVERDUE)
        return false;
    return first->rank == RANK_OVERDUE ||
           (queue_settings(queue)->policy == QUEUE_PRIORITY && job->rank > first->rank);
}

static void ask_back_those_behind(struct engine *engine, const struct job *first)
{
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (waits_ahead(entry) &&
            goes_behind(engine, jobset_find(engine->jobs, entry->status.id), first))
            engine_ask_back(engine, entry);
    }
}

static struct job *choose(struct engine *engine, const struct job *job, uint64_t *ret_worker)
{
    *ret_worker = job == NULL ? 0 : choose_behind(engine, job);
    if (*ret_worker == 0)
        return NULL;
    ask_back_those_behind(engine, job); /* it would wait behind them in the worker */
    return jobset_find(engine->jobs, job->id);
}

struct job *engine_choose_ahead(struct engine *engine, uint64_t *ret_worker)
{
    struct job *job = choose(engine, first_of_all(engine), ret_worker);
    if (first_of_all(engine) != NULL)
        return job;
    for (size_t i = 0; job == NULL && i < engine->queue_count; i++) {
        uint8_t number = engine->queues[i].number;
        job =
            choose(engine, queue_first(scheduler_queue_at(engine->scheduler, number)), ret_worker);
    }
    return job;
}

/* The job that goes first waits, and no room is handed on to it: what waits ahead is in its way.
 * Once for each such job, since what goes before it may be handed ahead again. */
static bool makes_way(struct engine *engine, const struct job *first)
{
    uint64_t before = engine->made_way_for;
    engine->made_way_for = 0;
    if (first == NULL || first == engine->unplaced)
        return false;
    const struct job_kind kind = kind_of_next(engine, first);
    if (may_wait_behind(engine, first) && pool_hands_on(engine->pool, &kind)) {
        scheduler_hand_ahead(engine->scheduler, first);
        return false;
    }
    engine->made_way_for = first->id;
    return first->id != before;
}

void engine_take_back(struct engine *engine)
{
    const struct job *first = first_of_all(engine);
    bool of_all = first != NULL;
    if (!of_all)
        first = scheduler_first(engine->scheduler);
    bool way = makes_way(engine, first) && first != NULL;
    const bool admits = engine_is_open(engine);
    if (first != NULL)
        ask_back_those_behind(engine, first);
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (!waits_ahead(entry))
            continue;
        const struct job *job = jobset_find(engine->jobs, entry->status.id);
        if (!admits || engine_volumes_closed(engine, entry->volumes) ||
            (way && (of_all || job->queue == first->queue)) || !goes_on(engine, job->queue) ||
            !engine_breaker_calm(engine, job))
            engine_ask_back(engine, entry);
    }
}

void engine_part_moved(struct engine *engine)
{
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        const struct active *holder = holder_of(engine, entry->status.worker);
        if (holder != NULL && waits_ahead(entry) && !same_kind(engine, holder, entry))
            engine_ask_back(engine, entry);
    }
}
