/* io.batchd.Jobs.Submit {argv | type, params, name, queue, priority, cpus, memory, timeout_ms, cwd,
 * env, umask, stdin, tags, key, max_attempts, rerun_if_lost, array, begin, hold, estimate_ms, gpus,
 * disk, resources, depends, deadline, unique, dry_run}
 * -> {id, state, existing}
 * The reply leaves after the commit that holds the job: it is a promise. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/api/job_resources.h"
#include "daemon/api/request_digest.h"
#include "daemon/api/array_values.h"
#include "daemon/api/submit_spec.h"
#include "daemon/engine/values.h"

#include <string.h>

/* A disk that is full is seldom empty a second later. */
#define RETRY_AFTER_MS 10000

void submit_refuse(struct api_call *call, const struct error *err, uint64_t id)
{
    if (err->code == ERROR_CONFLICT && id != 0) {
        json_t *extra = json_object();
        json_put_int(extra, "id", (int64_t)id);
        reply_error(call, "KeyConflict", extra, err->text, "use another key for another job");
        return;
    }
    if (err->code == ERROR_BUSY) {
        reply_busy(call, err, RETRY_AFTER_MS, "make room on that disk; df shows it");
        return;
    }
    const char *dot = strrchr(err->field, '.'); /* jobs.encode.queue, of several jobs */
    const char *member = dot == NULL ? err->field : dot + 1;
    if (err->code == ERROR_NOT_FOUND && strcmp(member, "queue") == 0)
        reply_unknown(call, "NoSuchQueue", err, "batchctl queue list");
    else if (err->code == ERROR_NOT_FOUND && strcmp(member, "type") == 0)
        reply_unknown(call, "NoSuchType", err, "batchctl processors list");
    else
        reply_failure(call, err);
}

/* The worker refuses it too; said here, it is said before a job exists. */
bool submit_refuse_uid(struct api_call *call, uint32_t uid)
{
    uint32_t lowest = call->api->options.uid_min;
    if (uid >= lowest && (lowest == 0 || uid != JOB_UID_OVERFLOW))
        return false;
    CLEANUP_FREE char *text = xasprintf("jobs never run as uid %u; the lowest is %u", uid, lowest);
    reply_error(call, "org.varlink.service.PermissionDenied", NULL, text,
                "submit as an ordinary user");
    return true;
}

bool submit_refuse_job(struct api_call *call, const struct job_facts *facts)
{
    return submit_refuse_uid(call, facts->uid) || job_resources_refused(call, facts, NULL);
}

void submit_answer(struct api_call *call, uint64_t id, bool existing)
{
    struct job_row row = {.status.state = JOB_STATE_PENDING};
    /* What it depends on may have ended it already. */
    bool ended = jobset_find(engine_jobs(call->api->engine), id) == NULL;
    if ((existing || ended) && load_own_job(call, id, &row) < 0)
        return;
    bool dry_run = json_is_true(json_object_get(call->params, "dry_run"));
    json_t *reply = view_changed(id, row.status.state);
    json_put(reply, "existing", json_boolean(existing));
    put_dry_run(reply, dry_run);
    job_row_done(&row);
    reply_done(call, reply);
}

bool submit_answered(struct api_call *call, const char *method, char **ret_digest)
{
    struct request_key key = {.uid = call->uid};
    struct error err;
    uint64_t id = 0;
    *ret_digest = NULL;
    int found = submit_key_read(call->params, &key.text, &err);
    if (found == 0 && key.text != NULL) {
        key.digest = *ret_digest = request_digest(call, method);
        found = engine_find_key(call->api->engine, &key, &id, &err);
    }
    if (found < 0)
        submit_refuse(call, &err, id);
    else if (found > 0)
        submit_answer(call, id, true);
    return found != 0;
}

void submit_answer_dry_run(struct api_call *call, uint64_t id)
{
    json_t *reply = view_changed(id, JOB_STATE_PENDING);
    json_put(reply, "existing", json_false());
    put_dry_run(reply, true);
    reply_done(call, reply);
}

void submit_refuse_duplicate(struct api_call *call, const struct error *err, uint64_t id)
{
    json_t *extra = json_object();
    CLEANUP_FREE char *hint = xasprintf("batchctl wait %llu", (unsigned long long)id);
    json_put_int(extra, "id", (int64_t)id);
    reply_error(call, "Duplicate", extra, err->text, hint);
}

/* The new job, or -1 with err. */
static int take(struct api_call *call, struct job_facts *facts, bool dry_run, struct error *err)
{
    int result =
        array_values_given(call->params) ? array_values_take(call, call->params, facts, err) : 0;
    if (result == 0)
        result = dry_run ? engine_check_submit(call->api->engine, facts, err)
                         : engine_submit(call->api->engine, facts, err);
    if (result < 0 || dry_run) /* no job has them */
        engine_values_drop(call->api->engine, facts->value_set);
    return result;
}

static void run(struct api_call *call)
{
    struct job_facts facts = {0};
    struct error err;
    CLEANUP_FREE char *digest = NULL;
    bool dry_run;
    if (get_dry_run(call, &dry_run) < 0 || submit_answered(call, "Submit", &digest))
        return;
    if (submit_spec_decode(call, call->params, &facts, &err) < 0) {
        submit_refuse(call, &err, 0);
        return;
    }
    facts.digest = TAKE_PTR(digest);
    if (submit_refuse_job(call, &facts)) {
        job_facts_done(&facts);
        return;
    }
    uint64_t id = 0;
    bool existing = false;
    int result = engine_find_unique(call->api->engine, &facts, &id, &err);
    if (result == 0 && id != 0)
        existing = true;
    else if (result == 0)
        result = take(call, &facts, dry_run, &err);
    id = existing ? id : facts.id;
    job_facts_done(&facts);
    if (result < 0)
        submit_refuse(call, &err, 0);
    else if (dry_run && !existing)
        submit_answer_dry_run(call, 0);
    else
        submit_answer(call, id, existing);
}

const struct api_verb verb_submit = {.method = "io.batchd.Jobs.Submit",
                                     .fields = submit_fields,
                                     .large = true,
                                     .submits = true,
                                     .run = run};
