/* What keeps a waiting job out of the queue: it is held, its begin time has not come, it failed and
 * is to be tried again later (backoff.c), or it waits for others (dependencies.c). The job knows
 * which by three bits; the times are in the store. It counts as waiting, for ageing and order, from
 * when the last of them went. */
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

void engine_unblock(struct engine *engine, struct job *job, enum job_block block, int64_t now)
{
    jobset_unblock(engine->jobs, job, block, now);
    if (job_is_array(job))
        engine_requeue_array(engine, job);
}

void engine_watch_begin(struct engine *engine, struct job *job, int64_t begin_at, int64_t now)
{
    if (begin_at <= now || job_state_of(job) != JOB_STATE_PENDING || engine_backs_off(engine, job))
        return; /* it may have run already: the clock was put back meanwhile */
    jobset_block(engine->jobs, job, JOB_LATER);
    alarms_set(&engine->begins, job, begin_at);
}

void engine_apply_condition(struct engine *engine, const struct condition *condition, int64_t now)
{
    struct job *job = jobset_find(engine->jobs, condition->job);
    if (condition->held)
        jobset_block(engine->jobs, job, JOB_HELD);
    engine_watch_begin(engine, job, condition->begin_at, now);
    if (condition->deadline_at > 0)
        engine_watch_deadline(engine, job->id, condition->deadline_at);
    if (condition->begin_at > job->since && condition->begin_at <= now)
        jobset_set_since(engine->jobs, job, condition->begin_at, now);
    if (condition->released_at > job->since)
        jobset_set_since(engine->jobs, job, condition->released_at, now);
}

void engine_begin_due(struct engine *engine, int64_t now)
{
    const struct alarm *alarm;
    while ((alarm = alarms_first(&engine->begins)) != NULL && alarm->at <= now) {
        struct job *job = alarm->job;
        int64_t at = alarm->at;
        alarms_clear(&engine->begins, job);
        if (at > job->since)
            jobset_set_since(engine->jobs, job, at, now);
        engine_unblock(engine, job, JOB_LATER, now);
    }
}

void engine_clear_later(struct engine *engine, struct job *job)
{
    if (engine_waits_for_room(engine, job))
        engine_forget_room(engine, job);
    else
        alarms_clear(engine_backs_off(engine, job) ? &engine->backoffs : &engine->begins, job);
    job->put_off = false;
}

void engine_drop_condition(struct engine *engine, struct job *job)
{
    if (job_blocked_by(job, JOB_LATER))
        engine_clear_later(engine, job);
    if (!dependency_graph_empty(engine->waits))
        dependency_graph_drop(engine->waits, job->id);
    engine_unlink(engine, job->id);
}

static int load_waiting(struct engine *engine, uint64_t id, const char *what, struct job **ret,
                        struct condition *condition, struct error *err)
{
    *ret = jobset_find(engine->jobs, id);
    if (*ret == NULL)
        return error_set(err, ERROR_CONFLICT, "cannot %s job %llu: it has already ended", what,
                         (unsigned long long)id);
    if (!job_is_array(*ret) && job_state_of(*ret) != JOB_STATE_PENDING)
        return error_set(err, ERROR_CONFLICT, "cannot %s job %llu: it is %s", what,
                         (unsigned long long)id, job_state_word(job_state_of(*ret)));
    return condition_rows_load(engine->db, id, condition, err);
}

static int store(struct engine *engine, const struct condition *condition, struct error *err)
{
    if (condition_rows_put(engine->db, condition, err) == 0)
        return 0;
    engine_break(engine, err);
    return -1;
}

static void tell(struct engine *engine, const struct job *job, enum bus_kind kind)
{
    const struct job_status status = {.id = job->id, .state = job_state_of(job)};
    engine_tell(engine, job, &status, kind);
}

int engine_hold_job(struct engine *engine, uint64_t id, bool dry_run, enum job_state *ret_state,
                    struct error *err)
{
    struct job *job;
    struct condition condition = {0};
    if (load_waiting(engine, id, "hold", &job, &condition, err) < 0)
        return -1;
    *ret_state = job_state_of(job);
    if (condition.held || dry_run)
        return 0;
    condition.held = true;
    if (store(engine, &condition, err) < 0)
        return -1;
    jobset_block(engine->jobs, job, JOB_HELD);
    tell(engine, job, BUS_HELD);
    return 0;
}

/* Whether it, or a task of it, waits for another attempt: not what was put off, which would lose
 * its place and be put off again. */
static bool fails_wait(struct engine *engine, const struct job *job)
{
    const struct array *array = job_is_array(job) ? arrays_need(engine, job->id) : NULL;
    return (engine_backs_off(engine, job) && !job->put_off) ||
           (array != NULL && array->again.later.count > 0);
}

static int lift(struct engine *engine, struct job *job, int64_t now, struct error *err)
{
    if (engine_lift_backoff(engine, job, now, err) == 0)
        return 0;
    engine_break(engine, err);
    return -1;
}

int engine_release_job(struct engine *engine, uint64_t id, bool dry_run, enum job_state *ret_state,
                       struct error *err)
{
    struct job *job;
    struct condition condition = {0};
    int64_t now = clock_wall_us();
    if (load_waiting(engine, id, "release", &job, &condition, err) < 0)
        return -1;
    *ret_state = job_state_of(job);
    if (!(condition.held || fails_wait(engine, job)) || dry_run)
        return 0;
    condition.held = false;
    condition.released_at = now;
    if (store(engine, &condition, err) < 0 || lift(engine, job, now, err) < 0)
        return -1;
    jobset_set_since(engine->jobs, job, now, now);
    engine_unblock(engine, job, JOB_HELD, now);
    tell(engine, job, BUS_RELEASED);
    return 0;
}
