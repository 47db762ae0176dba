/* io.batchd.Jobs.Retry {id, index | indices, failed_only, key} -> {id, state, existing}
 * The id is that of a new job (engine/retry.c); as for Submit the reply is a promise. */
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

static void submit(struct api_call *call, struct job_facts *facts)
{
    struct error err;
    uint64_t id = 0;
    bool existing = false;
    if (submit_refuse_job(call, facts))
        return;
    if (engine_submit(call->api->engine, facts, &id, &existing, &err) < 0)
        submit_refuse(call, &err, id);
    else
        submit_answer(call, id, existing);
}

static void run(struct api_call *call)
{
    struct job_row old;
    struct error err;
    struct tasks tasks = {.spec = {.ranges = NULL}};
    struct retry_order order = {.tasks = NULL};
    struct job_facts facts = {0};
    const char *key = NULL;
    CLEANUP_FREE char *array = NULL;
    uint64_t id;
    if (get_job_id(call, &id) < 0)
        return;
    if (json_get_bool(call->params, "failed_only", false, &order.failed_only, &err) < 0 ||
        submit_key_read(call->params, &key, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (load_own_job(call, id, &old) < 0)
        return;
    int result = 0;
    if (tasks_are_named(call->params)) {
        order.tasks = &tasks.named;
        result = tasks_read(call->params, &old, &tasks, &err);
    }
    if (result == 0)
        result = engine_retry_facts(call->api->engine, &old, &order, &facts, &array, &err);
    CLEANUP_FREE char *mine = xstrdup(key);
    facts.key = mine;
    if (result < 0)
        refuse(call, &old, &err);
    else
        submit(call, &facts);
    tasks_done(&tasks);
    job_row_done(&old);
}

static const char *const fields[] = {"id", "index", "indices", "failed_only", "key", NULL};
const struct api_verb verb_retry = {.method = "io.batchd.Jobs.Retry", .fields = fields, .run = run};
