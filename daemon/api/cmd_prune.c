/* io.batchd.Jobs.Prune {id, states, older_ms, dry_run} -> {removed, kept, dry_run}
 * Removes jobs that have ended, with their output: one, or all of the caller's (who may see all:
 * all of everybody's) that ended in one of these states and so long ago; without older_ms as long
 * ago as [retention] says, a named one at once. Jobs that unfinished ones depend on are kept, and
 * counted. All jobs are gone through in parts, one in a turn of the loop however many ask. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/slices.h"
#include "daemon/api/verb.h"
#include "daemon/engine/removal.h"

#include <stdlib.h>
#include <string.h>

/* What who asks asks while as many as may be are going on should wait. */
#define RETRY_MS 1000
#define AGE_MS_MAX (INT64_C(36500) * 86400000)

struct pruning {
    struct removal_walk walk;
    struct slice *slice; /* owned; for the next part */
};

static void answer(struct api_call *call, const struct removal_walk *walk)
{
    json_t *reply = json_object();
    json_put_int(reply, "removed", (int64_t)walk->removed);
    json_put_int(reply, "kept", (int64_t)walk->kept);
    put_dry_run(reply, walk->rule.dry_run);
    reply_done(call, reply);
}

/* ---- one ---- */

static void prune_one(struct api_call *call, const struct removal_rule *rule)
{
    struct removal_walk walk = {.rule = *rule};
    struct job_row row;
    struct error err;
    uint64_t id;
    if (get_job_id(call, &id) < 0 || load_own_job(call, id, &row) < 0)
        return;
    enum job_state state = row.status.state;
    job_row_done(&row);
    if (!job_state_terminal(state)) {
        CLEANUP_FREE char *text = xasprintf("cannot remove job %llu: it is %s",
                                            (unsigned long long)id, job_state_word(state));
        CLEANUP_FREE char *hint = xasprintf("batchctl cancel %llu", (unsigned long long)id);
        reply_error(call, "InvalidState",
                    view_wrong_state(state, JOB_STATE_COMPLETED, JOB_STATE_CANCELLED), text, hint);
    } else if (engine_remove_one(call->api->engine, id, &walk, &err) < 0) {
        reply_failure(call, &err);
    } else {
        answer(call, &walk);
    }
}

/* ---- all ---- */

static void release(struct api_call *call)
{
    struct pruning *pruning = call->state;
    call->cancel = NULL;
    slice_free(pruning->slice);
    free(pruning);
}

static void prune_part(void *arg)
{
    struct api_call *call = arg;
    struct pruning *pruning = call->state;
    struct error err;
    int more = engine_remove_some(call->api->engine, &pruning->walk, &err);
    if (more > 0)
        return;
    struct removal_walk walk = pruning->walk;
    release(call);
    if (more < 0)
        reply_failure(call, &err);
    else
        answer(call, &walk);
}

static void prune_all(struct api_call *call, const struct removal_rule *rule)
{
    struct pruning *pruning = xcalloc(1, sizeof(*pruning));
    struct error err;
    pruning->walk.rule = *rule;
    pruning->slice = slice_new(call->api->slices, call->uid, prune_part, call, &err);
    call->state = pruning;
    call->cancel = release;
    if (pruning->slice != NULL)
        return;
    release(call);
    reply_busy(call, &err, RETRY_MS, NULL);
}

/* ---- what is asked ---- */

/* Of the states that are not named nothing goes. */
static int read_states(const json_t *params, struct removal_rule *rule, struct error *err)
{
    bool named[JOB_STATE_COUNT] = {false};
    json_t *states = NULL;
    json_t *word;
    size_t i;
    int found = json_get_array(params, "states", false, &states, err);
    if (found <= 0)
        return found;
    if (json_array_size(states) == 0)
        return error_set_field(err, "states",
                               "states must name one of completed, failed and cancelled");
    json_array_foreach(states, i, word) {
        unsigned state = JOB_STATE_COMPLETED;
        while (state < JOB_STATE_COUNT &&
               (!json_is_string(word) ||
                strcmp(json_string_value(word), job_state_word((enum job_state)state)) != 0))
            state++;
        if (state == JOB_STATE_COUNT)
            return error_set_field(err, "states",
                                   "states[%zu] \"%.30s\" must be completed, failed or cancelled",
                                   i, json_is_string(word) ? json_string_value(word) : "");
        named[state] = true;
    }
    for (unsigned state = 0; state < JOB_STATE_COUNT; state++)
        rule->ended_before[state] = named[state] ? rule->ended_before[state] : 0;
    return 0;
}

static int read_rule(const struct api_call *call, struct removal_rule *ret, struct error *err)
{
    int64_t now = clock_wall_us();
    int64_t age_ms = 0;
    int aged = json_get_int(call->params, "older_ms", false, 0, AGE_MS_MAX, &age_ms, err);
    if (aged < 0)
        return -1;
    (void)engine_retention(call->api->engine, now, ret);
    for (unsigned state = 0; state < JOB_STATE_COUNT; state++) {
        if (aged > 0 || json_object_get(call->params, "id") != NULL)
            ret->ended_before[state] = now + 1 - age_ms * US_PER_MS;
    }
    ret->all_users = access_all(call);
    ret->uid = call->uid;
    return read_states(call->params, ret, err);
}

static void run(struct api_call *call)
{
    struct removal_rule rule;
    struct error err;
    bool dry_run;
    if (get_dry_run(call, &dry_run) < 0)
        return;
    if (read_rule(call, &rule, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    rule.dry_run = dry_run;
    if (json_object_get(call->params, "id") != NULL)
        prune_one(call, &rule);
    else
        prune_all(call, &rule);
}

static const char *const fields[] = {"id", "states", "older_ms", "dry_run", NULL};
const struct api_verb verb_prune = {.method = "io.batchd.Jobs.Prune", .fields = fields, .run = run};
