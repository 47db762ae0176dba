#include "daemon/api/attempts_view.h"

#include "common/clock.h"
#include "daemon/api/checkpoints.h"
#include "daemon/api/view.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/outlook.h"
#include "daemon/store/attempt_rows.h"

/* `charged` is null while it is not known: it has not ended, or did before that was kept. */
static json_t *view_attempt(const struct api *api, const struct attempt_row *row,
                            enum job_state state)
{
    const struct job_status *status = &row->status;
    json_t *object = json_object();
    json_put_int(object, "attempt", status->attempt);
    json_put_int(object, "worker", (int64_t)status->worker);
    json_put(object, "started_at", view_time(status->started_at));
    json_put(object, "ended_at", view_time(status->ended_at));
    json_put(object, "outcome", view_outcome(&status->outcome, state));
    json_put(object, "usage", view_usage(status, state));
    json_put(object, "memory_bytes",
             row->memory_bytes == 0 ? json_null() : json_integer((int64_t)row->memory_bytes));
    json_put(object, "charged",
             row->kind == ATTEMPT_UNKNOWN ? json_null()
                                          : json_boolean(row->kind == ATTEMPT_CHARGED));
    json_put(object, "retry_ms",
             status->retry_us == 0 ? json_null() : json_integer(status->retry_us / US_PER_MS));
    checkpoints_view_notes(api, status, object);
    return object;
}

struct viewing {
    const struct api *api;
    json_t *attempts;
};

static int add_attempt(void *arg, const struct attempt_row *row)
{
    const struct viewing *viewing = arg;
    return json_array_append_new(viewing->attempts,
                                 view_attempt(viewing->api, row, JOB_STATE_FAILED));
}

json_t *attempts_view(const struct api *api, const struct job_row *row)
{
    struct error err;
    json_t *attempts = json_array();
    enum job_state state = row->status.state;
    enum outcome_class class = row->status.outcome.class;
    struct viewing viewing = {.api = api, .attempts = attempts};
    (void)attempt_rows_each(engine_db(api->engine), &row->status, add_attempt, &viewing, &err);
    if (state == JOB_STATE_PENDING || row->status.attempt == 0 || row->status.worker == 0)
        return attempts;
    struct attempt_row now = {.status = row->status,
                              .kind = !job_state_terminal(state) ? ATTEMPT_UNKNOWN
                                      : class == OUTCOME_LOST || class == OUTCOME_SUCCESS
                                          ? ATTEMPT_LOSS
                                          : ATTEMPT_CHARGED,
                              .memory_bytes = job_whole_mib(row->facts.memory_bytes)};
    now.status.retry_us = 0;
    (void)json_array_append_new(attempts, view_attempt(api, &now, state));
    return attempts;
}

/* ---- memory ---- */

static int note_oom(void *arg, const struct attempt_row *row)
{
    bool *found = arg;
    *found |= row->status.outcome.class == OUTCOME_OOM;
    return *found;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What others of its name or type came to need, unless it has ended and was well with less. When
 * its last attempt had too little, half as much again; else what it has come to. */
uint64_t attempts_suggest_memory(const struct api *api, const struct job_row *row)
{
    bool found = false;
    struct error err;
    const uint64_t asked = job_whole_mib(row->facts.memory_bytes);
    const uint64_t total = scheduler_total(engine_scheduler(api->engine))->amount[RESOURCE_MEMORY];
    const bool ended = job_state_terminal(row->status.state);
    const bool lacked = row->status.outcome.class == OUTCOME_OOM;
    uint64_t learned = !ended || lacked ? engine_learned_memory(api->engine, &row->facts) : 0;
    learned = learned > asked ? learned : 0;
    if (ended && lacked)
        return greater(learned, job_memory_grown(asked, row->status.usage.max_rss_bytes, total));
    if (row->status.attempt < 2 ||
        attempt_rows_each(engine_db(api->engine), &row->status, note_oom, &found, &err) < 0)
        return learned;
    return found ? greater(learned, asked) : learned;
}
