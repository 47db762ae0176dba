/* io.batchd.Jobs.Hold and Release {id, dry_run} -> {id, state, dry_run} */
#include "common/cleanup.h"
#include "daemon/api/verb.h"
#include "daemon/engine/engine.h"

typedef int (*change_fn)(struct engine *engine, uint64_t id, bool dry_run,
                         enum job_state *ret_state, struct error *err);

static void change(struct api_call *call, change_fn apply)
{
    struct error err;
    struct job_row row;
    uint64_t id;
    bool dry_run;
    if (get_job_id(call, &id) < 0 || get_dry_run(call, &dry_run) < 0 ||
        load_own_job(call, id, &row) < 0)
        return;
    enum job_state state = row.status.state;
    job_row_done(&row);
    if (apply(call->api->engine, id, dry_run, &state, &err) == 0) {
        json_t *reply = view_changed(id, state);
        put_dry_run(reply, dry_run);
        reply_done(call, reply);
    } else if (err.code == ERROR_CONFLICT) {
        reply_error(call, "InvalidState",
                    view_wrong_state(state, JOB_STATE_PENDING, JOB_STATE_PENDING), err.text, NULL);
    } else {
        reply_failure(call, &err);
    }
}

static void run_hold(struct api_call *call)
{
    change(call, engine_hold_job);
}

static void run_release(struct api_call *call)
{
    change(call, engine_release_job);
}

static const char *const fields[] = {"id", "dry_run", NULL};
const struct api_verb verb_hold = {
    .method = "io.batchd.Jobs.Hold", .fields = fields, .run = run_hold};
const struct api_verb verb_release = {
    .method = "io.batchd.Jobs.Release", .fields = fields, .run = run_release};
