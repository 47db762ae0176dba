/* Which waiting job goes to which worker: an idle one, or one whose jobs are short (ahead.c). */
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/binding.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/gpus.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/schedule_turns.h"
#include "daemon/resources/disk.h"

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

static bool is_bound(const struct engine *engine, const struct job *job)
{
    return scheduler_wanted(engine->scheduler, job)->amount[RESOURCE_BOUND] > 0;
}

static uint64_t choose_idle(struct engine *engine, const struct job *job)
{
    if (!is_bound(engine, job))
        return pool_choose_idle(engine->pool);
    return pool_choose_binding(engine->pool);
}

/* The next job by the policy: to an idle worker when it fits. When it does not, or when no worker
 * is idle, the job that goes first may still be handed ahead. False: nothing more starts now. */
static bool start_next(struct engine *engine)
{
    struct job *job = scheduler_next(engine->scheduler);
    uint64_t worker = job == NULL ? 0 : choose_idle(engine, job);
    if (worker != 0)
        return start(engine, job, worker, true);
    if (job != NULL && is_bound(engine, job) && pool_choose_idle(engine->pool) != 0) {
        engine_put_off_binding(engine, job);
        return true;
    }
    engine->unplaced = job;
    if (job != NULL && pool_coming(engine->pool) > 0)
        return false;
    job = engine_choose_ahead(engine, &worker);
    return job != NULL && start(engine, job, worker, false);
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
    engine_see_machine(engine);
    engine_volumes_due(engine, now);
    engine_look_at_gpus(engine);
    engine_look_at_bindable(engine);
    scheduler_begin(engine->scheduler, now);
    engine->put_off = 0;
    while (engine_admits(engine) && !engine->broken && engine->put_off < ENGINE_PUT_OFF_MAX &&
           start_next(engine))
        continue;
    engine_take_back(engine);
    engine_store_turns(engine);
    engine_note_seen(engine, now);
    engine_scale(engine);
    engine->unplaced = NULL;
    arrays_end_turn(engine);
    engine_store_estimates(engine);
    engine_store_statistics(engine);
    engine_note_machine(engine);
    engine_store_breakers(engine);
    removals_go_on(engine);
    disk_watch(engine->disk); /* may make room for the commit that follows */
}
