/* io.batchd.Jobs.Hold and Release {id} -> {id, state} */
#include "common/cleanup.h"
#include "daemon/api/verb.h"
#include "daemon/engine/engine.h"

typedef int (*change_fn)(struct engine *engine, uint64_t id, enum job_state *ret_state,
                         struct error *err);

static void refuse(struct api_call *call, enum job_state state, const struct error *err)
{
    if (err->code != ERROR_CONFLICT) {
        reply_failure(call, err);
        return;
    }
    json_t *extra = json_object();
    json_put_text(extra, "state", job_state_word(state));
    json_put(extra, "allowed", json_pack("[s]", job_state_word(JOB_STATE_PENDING)));
    reply_error(call, "InvalidState", extra, err->text, NULL);
}

static void change(struct api_call *call, change_fn apply)
{
    struct error err;
    struct job_row row;
    uint64_t id;
    if (get_job_id(call, &id) < 0 || load_own_job(call, id, &row) < 0)
        return;
    enum job_state state = row.status.state;
    job_row_done(&row);
    if (apply(call->api->engine, id, &state, &err) < 0) {
        refuse(call, state, &err);
        return;
    }
    json_t *reply = json_object();
    json_put_int(reply, "id", (int64_t)id);
    json_put_text(reply, "state", job_state_word(state));
    reply_done(call, reply);
}

static void run_hold(struct api_call *call)
{
    change(call, engine_hold_job);
}

static void run_release(struct api_call *call)
{
    change(call, engine_release_job);
}

static const char *const fields[] = {"id", NULL};
const struct api_verb verb_hold = {
    .method = "io.batchd.Jobs.Hold", .fields = fields, .run = run_hold};
const struct api_verb verb_release = {
    .method = "io.batchd.Jobs.Release", .fields = fields, .run = run_release};
