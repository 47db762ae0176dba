/* Which waiting job goes to which worker: an idle one, or one whose jobs are short (ahead.c); and
 * how many workers there are. */
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/disk.h"
#include "daemon/store/worker_rows.h"

/* True when others may start behind it. */
static bool start(struct engine *engine, struct job *job, uint64_t worker, bool holds)
{
    bool ended, stop;
    if (!engine_breaker_lets_start(engine, job, &stop))
        return !stop;
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
    job = engine_choose_ahead(engine, &worker);
    return job != NULL && start(engine, job, worker, false);
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
    while (!engine->broken && pool_may_make(engine->pool) &&
           pool_count(engine->pool) < engine->options.workers_max &&
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
    arrays_cancel_more(engine);
    engine_follow(engine);
    engine_follow_links(engine);
    engine_move_leaving(engine);
    engine_begin_due(engine, now);
    engine_breakers_due(engine, now);
    engine_backoffs_due(engine, now);
    engine_spread_estimates(engine, now);
    scheduler_begin(engine->scheduler, now);
    engine->put_off = 0;
    while (engine_admits(engine) && !engine->broken && engine->put_off < ENGINE_PUT_OFF_MAX &&
           start_next(engine))
        continue;
    engine_take_back(engine);
    engine_store_turns(engine);
    engine_note_seen(engine, now);
    grow(engine);
    engine->unplaced = NULL;
    arrays_end_turn(engine);
    engine_store_estimates(engine);
    engine_store_statistics(engine);
    engine_store_breakers(engine);
    removals_go_on(engine);
    shrink(engine);
    disk_watch(engine->disk); /* may make room for the commit that follows */
}
