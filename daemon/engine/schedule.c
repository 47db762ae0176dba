/* Which waiting job goes to which worker. A worker's first job is given its resources by the
 * scheduler. More jobs may be handed to it ahead of time while its jobs are short: they ask for
 * exactly what the first one has, wait behind it in the worker, and have its resources and its
 * slot in their queue when it ends, so that nothing is promised twice. Where the queue has a limit
 * for each user, whose slot it is matters, and nothing is handed ahead. Not those that ask for
 * GPUs: which ones they have is told to them when they are handed over, and each has its own
 * (start.c). */
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/disk.h"
#include "daemon/store/worker_rows.h"

uint64_t engine_kind(const struct job *job)
{
    return (uint64_t)job->queue << 32U | job->request;
}

/* It is expected to end as was predicted when it started, also after a restart. */
void engine_hold(struct engine *engine, struct active *entry, int64_t since)
{
    struct job as_started = *jobset_find(engine->jobs, entry->status.id);
    as_started.estimate_us =
        entry->status.predicted_us > 0 ? entry->status.predicted_us : ESTIMATE_UNKNOWN;
    entry->run = scheduler_run(engine->scheduler, &as_started, since);
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
    if (entry->run == 0)
        return;
    int64_t now = clock_wall_us();
    struct active *next = next_behind(engine, entry);
    scheduler_end(engine->scheduler, entry->run, now);
    entry->run = 0;
    if (next != NULL)
        engine_hold(engine, next, now);
}

/* The worker behind whose jobs this one may wait, 0: none. */
static uint64_t choose_behind(const struct engine *engine, const struct job *job)
{
    if (job == NULL || scheduler_wanted(engine->scheduler, job)->amount[RESOURCE_GPUS] > 0 ||
        queue_settings(scheduler_queue_at(engine->scheduler, job->queue))->per_user > 0)
        return 0;
    return pool_choose_behind(engine->pool, engine_kind(job));
}

/* True when others may start behind it. */
static bool start(struct engine *engine, struct job *job, uint64_t worker, bool holds)
{
    bool ended;
    if (!engine_may_start(engine, job, &ended))
        return ended;
    engine_start_job(engine, job, worker, holds);
    return true;
}

/* The next job by the policy: to an idle worker when it fits. When it does not, or when no worker
 * is idle, the job that goes first may still be handed ahead. False: nothing more starts now. */
static bool start_next(struct engine *engine)
{
    struct job *job = scheduler_next(engine->scheduler);
    uint64_t worker = job == NULL ? 0 : pool_choose_idle(engine->pool);
    if (worker != 0)
        return start(engine, job, worker, true);
    engine->unplaced = job;
    if (job != NULL && pool_coming(engine->pool) > 0)
        return false;
    job = scheduler_first(engine->scheduler);
    worker = choose_behind(engine, job);
    return worker != 0 && start(engine, job, worker, false);
}

/* So many workers more would each have a job now. */
static uint64_t wanted_workers(const struct engine *engine)
{
    uint64_t waiting = scheduler_waiting(engine->scheduler) + arrays_more_startable(engine);
    return engine->unplaced == NULL
               ? 0
               : scheduler_room_for(engine->scheduler, engine->unplaced, waiting);
}

static void grow(struct engine *engine)
{
    uint64_t wanted = wanted_workers(engine);
    size_t coming = pool_coming(engine->pool);
    struct error err;
    while (!engine->broken && pool_count(engine->pool) < engine->options.workers_max &&
           (coming < wanted || pool_count(engine->pool) < engine->options.workers_min)) {
        uint64_t worker;
        if (worker_rows_insert(engine->db, engine->options.boot_id, clock_wall_us(), &worker,
                               &err) < 0) {
            engine_break(engine, &err);
            return;
        }
        pool_spawn(engine->pool, worker);
        coming++;
    }
}

static void shrink(struct engine *engine)
{
    uint64_t idle =
        pool_idle_since(engine->pool, clock_monotonic_us() - engine->options.worker_idle_us);
    if (idle != 0 && pool_count(engine->pool) > engine->options.workers_min)
        pool_quit(engine->pool, idle);
}

void engine_schedule(struct engine *engine)
{
    int64_t now = clock_wall_us();
    engine->unplaced = NULL;
    schedules_due(engine, now);
    engine_deadlines_due(engine, now);
    engine_follow(engine);
    engine_begin_due(engine, now);
    engine_spread_estimates(engine, now);
    scheduler_begin(engine->scheduler, now);
    while (!engine->broken && start_next(engine))
        continue;
    engine_store_turns(engine);
    grow(engine);
    engine->unplaced = NULL;
    arrays_end_turn(engine);
    engine_store_estimates(engine);
    shrink(engine);
    disk_watch(engine->disk); /* may make room for the commit that follows */
}
