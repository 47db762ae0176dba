/* io.batchd.Jobs.Retry {id, index | indices, failed_only, key, dry_run, hold, and what
 * Edit takes} -> {id, state, existing} The id is that of a new job (engine/retry.c); as for Submit
 * the reply is a promise. With dry_run it is that of the old one, and {id, state, dry_run} is the
 * reply. */
#include "daemon/api/job_changes.h"
#include "daemon/api/submit_spec.h"
#include "daemon/api/tasks.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

static void refuse(struct api_call *call, const struct job_row *old, const struct error *err)
{
    if (err->code == ERROR_CONFLICT)
        reply_error(call, "InvalidState",
                    view_wrong_state(old->status.state, JOB_STATE_COMPLETED, JOB_STATE_CANCELLED),
                    err->text, NULL);
    else
        submit_refuse(call, err, 0);
}

static void submit(struct api_call *call, struct job_facts *facts, bool dry_run)
{
    struct error err;
    uint64_t other = 0;
    if (submit_refuse_job(call, facts))
        return;
    if (engine_find_unique(call->api->engine, facts, &other, &err) == 0 && other != 0) {
        (void)engine_check_submit(call->api->engine, facts, &err);
        submit_refuse_duplicate(call, &err, other);
        return;
    }
    if (dry_run && engine_check_submit(call->api->engine, facts, &err) == 0) {
        submit_answer_dry_run(call, facts->retry_of);
    } else if (dry_run || engine_submit(call->api->engine, facts, &err) < 0) {
        submit_refuse(call, &err, 0);
    } else {
        submit_answer(call, facts->id, false);
    }
}

/* What the new job is to have that the old one had not. */
static int take_changes(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    return job_changes_take(call, facts, err) < 0 ||
                   json_get_bool(call->params, "hold", false, &facts->hold, err) < 0
               ? -1
               : 0;
}

static void retry(struct api_call *call, struct job_row *old, char *digest, bool dry_run)
{
    struct retry_order order = {.tasks = NULL};
    struct error err;
    struct tasks tasks = {.spec = {.ranges = NULL}};
    struct job_facts facts = {0};
    CLEANUP_FREE char *array = NULL;
    CLEANUP_FREE char *key = xstrdup(json_string_value(json_object_get(call->params, "key")));
    int result = take_changes(call, &old->facts, &err);
    if (result == 0)
        result = json_get_bool(call->params, "failed_only", false, &order.failed_only, &err) < 0
                     ? -1
                     : 0;
    if (result == 0 && tasks_are_named(call->params)) {
        order.tasks = &tasks.named;
        result = tasks_read(call->params, old, &tasks, &err);
    }
    if (result == 0)
        result = engine_retry_facts(call->api->engine, old, &order, &facts, &array, &err);
    facts.key = key;
    facts.digest = digest;
    if (result < 0)
        refuse(call, old, &err);
    else
        submit(call, &facts, dry_run);
    tasks_done(&tasks);
}

static void run(struct api_call *call)
{
    struct job_row old;
    CLEANUP_FREE char *digest = NULL;
    bool dry_run;
    uint64_t id;
    if (get_job_id(call, &id) < 0 || get_dry_run(call, &dry_run) < 0 ||
        submit_answered(call, "Retry", &digest) || load_own_job(call, id, &old) < 0)
        return;
    retry(call, &old, digest, dry_run);
    job_row_done(&old);
}

static const char *const fields[] = {
    "id", JOB_CHANGES_FIELDS, "hold", "index", "indices", "failed_only", "key", "dry_run", NULL};
const struct api_verb verb_retry = {.method = "io.batchd.Jobs.Retry", .fields = fields, .run = run};
