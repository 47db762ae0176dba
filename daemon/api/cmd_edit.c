/* io.batchd.Jobs.Edit {id, dry_run, and what job_changes.h names} -> {id, state, dry_run}
 * Changes what a job is that waits: the members that are given, which mean what they mean in
 * Submit. `resources` replaces all counters and `tags` all tags; timeout_ms and estimate_ms, begin
 * and deadline of 0, an empty depends, stdin and checkpoint_signal mean none. */
#include "daemon/api/job_changes.h"
#include "daemon/api/job_resources.h"
#include "daemon/api/submit_spec.h"
#include "daemon/api/verb.h"
#include "daemon/core/job_request.h"
#include "daemon/store/condition_rows.h"

#include <stdlib.h>

static const char *const fields[] = {"id", JOB_CHANGES_FIELDS, "dry_run", NULL};

static int load_begin(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    struct condition condition;
    if (condition_rows_load(engine_db(call->api->engine), facts->id, &condition, err) < 0)
        return -1;
    facts->begin_at = condition.begin_at;
    facts->deadline_at = condition.deadline_at;
    return 0;
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
static void answer(struct api_call *call, uint64_t id, bool dry_run)
{
    const struct job *job = jobset_find(engine_jobs(call->api->engine), id);
    json_t *reply = view_changed(id, job == NULL ? JOB_STATE_CANCELLED : job_state_of(job));
    put_dry_run(reply, dry_run);
    reply_done(call, reply);
}

static void edit(struct api_call *call, struct job_row *row)
{
    struct dependency_path path = {.ids = NULL};
    struct error err;
    const struct resources had =
        job_facts_wanted(&row->facts, &engine_limits(call->api->engine)->names);
    unsigned parts = job_changes_parts(call->params);
    bool dry_run;
    if (get_dry_run(call, &dry_run) < 0)
        return;
    if (parts == 0) {
        (void)error_set_field(&err, "id", "nothing is given that job %llu is to have",
                              (unsigned long long)row->facts.id);
        reply_failure(call, &err);
        return;
    }
    if (load_begin(call, &row->facts, &err) < 0 || job_changes_take(call, &row->facts, &err) < 0) {
        refuse(call, row->status.state, &err);
        return;
    }
    if (job_resources_refused(call, &row->facts, &had))
        return;
    parts |= dry_run ? JOB_EDIT_DRY_RUN : 0;
    if (engine_edit(call->api->engine, &row->facts, parts, &path, &err) == 0)
        answer(call, row->facts.id, dry_run);
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
