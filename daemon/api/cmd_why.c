/* io.batchd.Jobs.Why {id, index} -> {id, index, name, queue, state, reasons: [{reason, detail,
 *   lifts, jobs, at}], predicted_start, submitted_at, started_at, ended_at, outcome}
 * Why a job, or a task of an array, does not run; of one that does not wait, what became of it. */
#include "daemon/api/reasons.h"
#include "daemon/api/tasks.h"
#include "daemon/api/view.h"

static json_t *view_state(const struct api_call *call, const struct job_row *row)
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
    return object;
}

static void run(struct api_call *call)
{
    struct job_row row;
    if (load_named(call, &row) < 0)
        return;
    json_t *reply = view_state(call, &row);
    job_row_done(&row);
    reply_done(call, reply);
}

static const char *const fields[] = {"id", "index", NULL};
const struct api_verb verb_why = {.method = "io.batchd.Jobs.Why", .fields = fields, .run = run};
