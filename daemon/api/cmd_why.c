/* io.batchd.Jobs.Why {id, index} -> {id, index, name, queue, state, reasons: [{reason, detail,
 *   lifts, jobs, at}], predicted_start, submitted_at, started_at, ended_at, outcome, predicted_end,
 *   prediction, starts_now_if: [{change, resource, amount, text, command}], result: {error}}
 * Why a job, or a task of an array, does not run, and until when; of one that does not wait, what
 * became of it. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/prediction.h"
#include "daemon/api/reasons.h"
#include "daemon/api/tasks.h"
#include "daemon/api/view.h"

/* What runs is taken to end as it was predicted when it started. */
static json_t *view_end(const struct job_status *status)
{
    if (status->state != JOB_STATE_RUNNING || status->predicted_us == 0)
        return json_null();
    return view_time(forecast_end(status->started_at, status->predicted_us, clock_wall_us()));
}

/* What a processor says of why it failed: {error}, as in the job's result; null: nothing. */
static json_t *view_error(const struct job_status *status)
{
    if (status->outcome.class != OUTCOME_PROCESSOR || status->result == NULL)
        return json_null();
    CLEANUP_JSON json_t *result = json_loads(status->result, 0, NULL);
    json_t *error = json_object_get(result, "error");
    return error == NULL ? json_null() : json_pack("{sO}", "error", error);
}

static json_t *view_why(const struct api_call *call, const struct job_row *row)
{
    json_t *object = json_object();
    json_put_int(object, "id", (int64_t)row->facts.id);
    json_put(object, "index",
             row->status.is_task ? json_integer((json_int_t)row->status.index) : json_null());
    json_put_text(object, "name", row->facts.name);
    json_put_text(object, "queue", row->facts.queue);
    json_put_text(object, "state", job_state_word(row->status.state));
    json_put(object, "reasons", reasons_view(call, row));
    json_put(object, "predicted_start", json_null());
    json_put_int(object, "submitted_at", row->facts.submitted_at);
    json_put(object, "started_at", view_time(row->status.started_at));
    json_put(object, "ended_at", view_time(row->status.ended_at));
    json_put(object, "outcome", view_outcome(&row->status.outcome, row->status.state));
    json_put(object, "predicted_end", view_end(&row->status));
    json_put(object, "prediction", json_null());
    json_put(object, "starts_now_if", json_array());
    json_put(object, "result", view_error(&row->status));
    return object;
}

static void run(struct api_call *call)
{
    struct job_row row;
    if (load_named(call, &row) < 0)
        return;
    json_t *reply = view_why(call, &row);
    if (reasons_waits(call->api, &row))
        prediction_reply(call, &row, true, reply, reply);
    else
        reply_done(call, reply);
    job_row_done(&row);
}

static const char *const fields[] = {"id", "index", NULL};
const struct api_verb verb_why = {.method = "io.batchd.Jobs.Why", .fields = fields, .run = run};
