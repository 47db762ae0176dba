/* io.batchd.Jobs.Edit {id, queue, priority, cpus, memory, gpus, disk, resources, timeout_ms,
 * estimate_ms, max_attempts, begin, depends} -> {id, state}
 * Changes what a job is that waits: the members that are given, which mean what they mean in
 * Submit. `resources` replaces all counters; timeout_ms and estimate_ms of 0, begin of 0 and an
 * empty depends mean none. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/worker_protocol.h"
#include "daemon/api/job_resources.h"
#include "daemon/api/submit_spec.h"
#include "daemon/api/verb.h"
#include "daemon/store/condition_rows.h"

#include <stdlib.h>
#include <string.h>

static const char *const fields[] = {
    "id",        "queue",      "priority",    "cpus",         "memory", "gpus",    "disk",
    "resources", "timeout_ms", "estimate_ms", "max_attempts", "begin",  "depends", NULL};

/* Which part each member belongs to; the id is none. */
static const struct {
    const char *member;
    enum job_edit_part part;
} parts[] = {
    {"queue", JOB_EDIT_QUEUE},         {"priority", JOB_EDIT_PRIORITY},
    {"cpus", JOB_EDIT_RESOURCES},      {"memory", JOB_EDIT_RESOURCES},
    {"gpus", JOB_EDIT_RESOURCES},      {"disk", JOB_EDIT_RESOURCES},
    {"resources", JOB_EDIT_RESOURCES}, {"timeout_ms", JOB_EDIT_LIMITS},
    {"estimate_ms", JOB_EDIT_LIMITS},  {"max_attempts", JOB_EDIT_LIMITS},
    {"begin", JOB_EDIT_BEGIN},         {"depends", JOB_EDIT_DEPENDS},
};

static unsigned parts_of(const json_t *params)
{
    unsigned found = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const json_t *value = json_object_get(params, parts[i].member);
        found |= value != NULL && !json_is_null(value) ? (unsigned)parts[i].part : 0;
    }
    return found;
}

static int take_words(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    const char *queue = NULL;
    const char *priority = NULL;
    if (json_get_string(call->params, "queue", false, &queue, err) < 0 ||
        json_get_string(call->params, "priority", false, &priority, err) < 0)
        return -1;
    if (queue != NULL && submit_spec_queue(call, queue, facts, err) < 0)
        return -1;
    return priority == NULL ? 0 : submit_spec_priority(priority, facts, err);
}

static int take_begin(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    struct condition condition;
    if (condition_rows_load(engine_db(call->api->engine), facts->id, &condition, err) < 0)
        return -1;
    facts->begin_at = condition.begin_at;
    facts->deadline_at = condition.deadline_at;
    return json_get_int(call->params, "begin", false, 0, SUBMIT_TIME_US_MAX, &facts->begin_at, err);
}

/* The timeout is in the run record. */
static int take_limits(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    struct record record;
    struct job_run run = {0};
    size_t used;
    if (record_parse(facts->run, facts->run_bytes, &record, &used) != RECORD_OK ||
        get_run(&record, &run) < 0)
        return error_set(err, ERROR_DAMAGED, "the stored command of job %llu cannot be read",
                         (unsigned long long)facts->id);
    int64_t timeout = (int64_t)run.timeout_ms;
    int64_t estimate = facts->estimate_us / US_PER_MS;
    int64_t attempts = facts->max_attempts;
    int result = 0;
    if (json_get_int(call->params, "timeout_ms", false, 0, SUBMIT_SPAN_MS_MAX, &timeout, err) < 0 ||
        json_get_int(call->params, "estimate_ms", false, 0, SUBMIT_SPAN_MS_MAX, &estimate, err) <
            0 ||
        json_get_int(call->params, "max_attempts", false, 1, JOB_ATTEMPTS_MAX, &attempts, err) < 0)
        result = -1;
    if (result == 0) {
        run.timeout_ms = (uint64_t)timeout;
        facts->estimate_us = estimate * US_PER_MS;
        facts->max_attempts = (uint32_t)attempts;
        submit_spec_put_run(&run, facts);
    }
    job_run_done(&run);
    return result;
}

static int take_depends(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    const char *text = NULL;
    facts->may_name_any = access_all(call);
    int found = json_get_string(call->params, "depends", false, &text, err);
    return found <= 0 || text[0] == '\0' ? found
                                         : dependency_spec_parse(text, &facts->depends, err);
}

static int take_all(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    const struct resource_names *names = &engine_limits(call->api->engine)->names;
    if (parts_of(call->params) == 0)
        return error_set_field(err, "id", "nothing is given that job %llu is to have",
                               (unsigned long long)facts->id);
    return take_words(call, facts, err) < 0 || take_limits(call, facts, err) < 0 ||
                   take_begin(call, facts, err) < 0 ||
                   job_resources_decode(call->params, names, facts, err) < 0 ||
                   take_depends(call, facts, err) < 0
               ? -1
               : 0;
}

/* ---- replies ---- */

static void refuse_cycle(struct api_call *call, const struct dependency_path *path,
                         const struct error *err)
{
    json_t *extra = json_object();
    json_t *ids = json_array();
    for (size_t i = 0; i < path->count; i++)
        (void)json_array_append_new(ids, json_integer((json_int_t)path->ids[i]));
    json_put(extra, "path", ids);
    reply_error(call, "DependencyCycle", extra, err->text, NULL);
}

static void refuse(struct api_call *call, enum job_state state, const struct error *err)
{
    if (err->code == ERROR_CONFLICT)
        reply_error(call, "InvalidState",
                    view_wrong_state(state, JOB_STATE_PENDING, JOB_STATE_PENDING), err->text, NULL);
    else
        submit_refuse(call, err, 0);
}

/* After the edit: what it waits for now may have ended it. */
static void answer(struct api_call *call, uint64_t id)
{
    const struct job *job = jobset_find(engine_jobs(call->api->engine), id);
    reply_done(call, view_changed(id, job == NULL ? JOB_STATE_CANCELLED : job_state_of(job)));
}

static void edit(struct api_call *call, struct job_row *row)
{
    struct dependency_path path = {.ids = NULL};
    struct error err;
    if (take_all(call, &row->facts, &err) < 0) {
        refuse(call, row->status.state, &err);
        return;
    }
    if (job_resources_refused(call, &row->facts))
        return;
    if (engine_edit(call->api->engine, &row->facts, parts_of(call->params), &path, &err) == 0)
        answer(call, row->facts.id);
    else if (path.count > 0)
        refuse_cycle(call, &path, &err);
    else
        refuse(call, row->status.state, &err);
    free(path.ids);
}

static void run(struct api_call *call)
{
    struct job_row row;
    uint64_t id;
    if (get_job_id(call, &id) < 0 || load_own_job(call, id, &row) < 0)
        return;
    edit(call, &row);
    job_row_done(&row);
}

const struct api_verb verb_edit = {.method = "io.batchd.Jobs.Edit", .fields = fields, .run = run};
