/* A job, or a task of an array, that failed and waits for its next attempt. Until when is in its
 * row, by the wall clock; here it is kept by the clock that never jumps, so that no change of the
 * date makes it wait longer, or less: at a start of the daemon, too, it waits at most as long as
 * the delay that was chosen for it. */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/core/ending.h"
#include "daemon/core/retry_rule.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/attempt_rows.h"

#include <sys/random.h>

#define DUE_A_TURN 1000U /* each some 2 us */

int64_t engine_backoff_until(const struct job_status *status)
{
    int64_t left = status->retry_at - clock_wall_us();
    if (status->retry_at == 0 || left <= 0)
        return 0;
    return clock_monotonic_us() + (left < status->retry_us ? left : status->retry_us);
}

void engine_choose_backoff(const struct retry_rule *rule, struct job_status *status)
{
    uint64_t random = 0;
    if (rule->jitter != RETRY_JITTER_NONE &&
        getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        random = (uint64_t)clock_monotonic_us();
    status->retry_us = (int64_t)retry_rule_delay_us(rule, status->charged, random);
    status->retry_at = status->retry_us == 0 ? 0 : clock_wall_us() + status->retry_us;
}

void engine_choose_pause(struct engine *engine, struct job_status *status)
{
    struct attempt_row last = {.kind = ATTEMPT_UNKNOWN};
    struct error err;
    if (!engine->broken && attempt_rows_last(engine->db, status, &last, &err) < 0) {
        last.kind = ATTEMPT_UNKNOWN;
        if (err.code == ERROR_DAMAGED) /* for a pause it is not worth to stop */
            log_warning("%s", err.text);
        else
            engine_break(engine, &err);
    }
    status->retry_us = ending_pause_us(last.kind == ATTEMPT_REFUSED ? last.status.retry_us : 0);
    status->retry_at = clock_wall_us() + status->retry_us;
}

void engine_watch_backoff(struct engine *engine, struct job *job, int64_t until)
{
    if (until == 0)
        return;
    jobset_block(engine->jobs, job, JOB_LATER);
    alarms_set(&engine->backoffs, job, until);
}

bool engine_backs_off(const struct engine *engine, const struct job *job)
{
    return job_blocked_by(job, JOB_LATER) && alarms_have(&engine->backoffs, job);
}

int64_t engine_backoff_at(const struct engine *engine, const struct job *job)
{
    if (!engine_backs_off(engine, job))
        return 0;
    return engine->backoffs.entries[job->alarm_at].at - clock_monotonic_us() + clock_wall_us();
}

static struct job *first_due(const struct engine *engine)
{
    const struct alarm *alarm = alarms_first(&engine->backoffs);
    return alarm != NULL && alarm->at <= clock_monotonic_us() ? alarm->job : NULL;
}

bool engine_backoffs_unfinished(const struct engine *engine)
{
    return engine->put_off >= ENGINE_PUT_OFF_MAX || first_due(engine) != NULL;
}

void engine_backoffs_due(struct engine *engine, int64_t now)
{
    struct job *job;
    for (unsigned i = 0; i < DUE_A_TURN && (job = first_due(engine)) != NULL; i++) {
        alarms_clear(&engine->backoffs, job);
        if (!job_is_array(job) && !job->put_off && now > job->since)
            jobset_set_since(engine->jobs, job, now, now);
        job->put_off = false;
        engine_unblock(engine, job, JOB_LATER, now);
    }
}

/* Of an array its tasks' rows stay: when it was released says that they count no more. */
bool engine_backoff_lifted(const struct job_status *task, int64_t lifted_at)
{
    return task->retry_at - task->retry_us <= lifted_at;
}

static int drop_row(struct engine *engine, uint64_t id, struct error *err)
{
    struct job_row row;
    if (job_rows_load(engine->db, id, &row, err) < 0)
        return -1;
    row.status.retry_at = row.status.retry_us = 0;
    int result = job_rows_update(engine->db, &row.status, err);
    job_row_done(&row);
    return result;
}

int engine_lift_backoff(struct engine *engine, struct job *job, int64_t now, struct error *err)
{
    struct array *array = job_is_array(job) ? arrays_live(engine, job->id) : NULL;
    const bool failed = engine_backs_off(engine, job) && !job->put_off;
    if (failed && !job_is_array(job) && drop_row(engine, job->id, err) < 0)
        return -1;
    if (array != NULL && array->again.later.count > 0) {
        array_lift(engine, array, now);
        jobset_set_since(engine->jobs, job, now, now);
    }
    if (!engine_backs_off(engine, job))
        return 0;
    engine_clear_later(engine, job);
    if (failed) /* else it keeps its place */
        jobset_set_since(engine->jobs, job, now, now);
    engine_unblock(engine, job, JOB_LATER, now);
    return 0;
}

int64_t engine_task_backoff_at(const struct engine *engine, const struct job_status *task)
{
    struct condition condition = {0};
    if (task->state != JOB_STATE_PENDING || task->retry_at <= clock_wall_us() ||
        condition_rows_load(engine->db, task->id, &condition, NULL) < 0 ||
        engine_backoff_lifted(task, condition.released_at))
        return 0;
    return task->retry_at;
}

void engine_show_backoffs(struct engine *engine)
{
    const struct alarm *alarm;
    const int64_t apart = clock_wall_us() - clock_monotonic_us();
    while ((alarm = alarms_first(&engine->backoffs)) != NULL) {
        struct job *job = alarm->job;
        int64_t at = alarm->at + apart;
        alarms_clear(&engine->backoffs, job);
        alarms_set(&engine->begins, job, at);
    }
}
