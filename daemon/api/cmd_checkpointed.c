/* io.batchd.Jobs.Checkpointed {id, index, attempt, number, bytes, made_at} -> {}: by batchctl
 * inside the job. It tells of what is there already, so that it can be shown. */
#include "daemon/api/submit_spec.h"
#include "daemon/api/tasks.h"
#include "daemon/api/view.h"
#include "daemon/engine/checkpoints.h"

#include <limits.h>

static int read_fact(const json_t *params, int64_t *ret_attempt, struct checkpoint_fact *ret,
                     struct error *err)
{
    int64_t number = 0;
    int64_t bytes = 0;
    if (json_get_int(params, "attempt", true, 1, UINT32_MAX, ret_attempt, err) < 0 ||
        json_get_int(params, "number", true, 1, INT64_MAX, &number, err) < 0 ||
        json_get_int(params, "bytes", true, 0, INT64_MAX, &bytes, err) < 0 ||
        json_get_int(params, "made_at", true, 0, SUBMIT_TIME_US_MAX, &ret->made_at, err) < 0)
        return -1;
    ret->number = (uint64_t)number;
    ret->bytes = (uint64_t)bytes;
    return 0;
}

static void run(struct api_call *call)
{
    struct error err;
    struct job_row row;
    struct checkpoint_fact fact = {.number = 0};
    int64_t attempt = 0;
    if (read_fact(call->params, &attempt, &fact, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (load_named(call, &row) < 0)
        return;
    const struct attempt_id id = {.job = row.facts.id,
                                  .index = row.status.index,
                                  .attempt = (uint32_t)attempt,
                                  .is_task = row.status.is_task};
    if (engine_checkpointed(call->api->engine, &id, &fact, &err) == 0)
        reply_done(call, NULL);
    else if (err.code == ERROR_CONFLICT)
        reply_error(call, "InvalidState",
                    view_wrong_state(row.status.state, JOB_STATE_STARTING, JOB_STATE_SUSPENDED),
                    err.text, NULL);
    else
        reply_failure(call, &err);
    job_row_done(&row);
}

static const char *const fields[] = {"id", "index", "attempt", "number", "bytes", "made_at", NULL};
const struct api_verb verb_checkpointed = {
    .method = "io.batchd.Jobs.Checkpointed", .fields = fields, .run = run};
