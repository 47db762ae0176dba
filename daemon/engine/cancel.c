/* The end that somebody asks for: at once for what waits, by its worker for what runs. */
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

#include <stdio.h>

static int cancel_waiting(struct engine *engine, struct job *job, const char *reason)
{
    struct job_row row;
    struct error err;
    if (job_rows_load(engine->db, job->id, &row, &err) < 0) {
        engine_break(engine, &err);
        return -1;
    }
    engine_move(engine, job, JOB_EVENT_CANCEL);
    row.status.state = JOB_STATE_CANCELLED;
    row.status.ended_at = clock_wall_us();
    row.status.outcome = (struct outcome){.class = OUTCOME_CANCELLED, .exit_code = -1};
    (void)snprintf(row.status.outcome.message, sizeof(row.status.outcome.message), "%s",
                   reason == NULL ? "" : reason);
    if (job_rows_update(engine->db, &row.status, &err) < 0)
        engine_break(engine, &err);
    engine_count_cancels(engine, job, row.facts.type, 1, row.status.ended_at);
    engine_tell(engine, job, &row.status, BUS_ENDED);
    job_row_done(&row);
    engine_remove(engine, job);
    return 0;
}

/* What has not started never will; the tasks that have a worker are stopped. */
static enum job_state cancel_array(struct engine *engine, const struct job *job, uint64_t grace_ms,
                                   const char *reason)
{
    struct array *array = arrays_need(engine, job->id);
    if (array == NULL)
        return job_state_of(job);
    bool idle = array->active == 0;
    if (!array->status.cancelling && !idle)
        engine_tell(engine, job, &array->status, BUS_CANCELLING);
    const uint64_t id = job->id;
    array_cancel(engine, array, grace_ms, reason);
    job = jobset_find(engine->jobs, id);
    return job == NULL ? JOB_STATE_CANCELLED : job_state_of(job);
}

int engine_cancel(struct engine *engine, uint64_t id, int64_t grace_ms, const char *reason,
                  enum job_state *ret_state, struct error *err)
{
    struct job *job = jobset_find(engine->jobs, id);
    if (job == NULL)
        return error_set(err, ERROR_CONFLICT, "job %llu has already ended", (unsigned long long)id);
    uint64_t grace = grace_ms < 0 ? engine->options.stop_grace_ms : (uint64_t)grace_ms;
    if (job_is_array(job)) {
        *ret_state = cancel_array(engine, job, grace, reason);
        return 0;
    }
    if (job_state_of(job) == JOB_STATE_PENDING) {
        *ret_state = JOB_STATE_CANCELLED;
        return cancel_waiting(engine, job, reason);
    }
    struct active *entry = active_find(engine->active, id);
    *ret_state = job_state_of(job);
    if (!entry->status.cancelling) {
        entry->status.cancelling = true;
        engine_store_status(engine, entry);
        engine_tell(engine, job, &entry->status, BUS_CANCELLING);
    }
    engine_stop_active(engine, entry, grace);
    return 0;
}

int engine_cancel_tasks(struct engine *engine, uint64_t id, const struct cancel_order *order,
                        struct cancelled_tasks *ret, struct error *err)
{
    const struct job *job = jobset_find(engine->jobs, id);
    *ret = (struct cancelled_tasks){0};
    if (job == NULL || !job_is_array(job))
        return error_set(err, ERROR_CONFLICT, "job %llu has already ended", (unsigned long long)id);
    struct array *array = arrays_need(engine, job->id);
    if (array != NULL)
        return array_cancel_tasks(engine, array, order, ret, err);
    *err = engine->broken_by;
    return -1;
}
