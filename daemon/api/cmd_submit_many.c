/* io.batchd.Jobs.SubmitMany {jobs: {NAME: {as Submit, depends also by name}}, key, dry_run}
 * -> {jobs: [{name, id, state}], existing, dry_run}
 * All of them or none: everything is checked before the first is made, and they are made in one
 * turn, whose commit is one transaction. The key is that of the first, and the ids of the others
 * follow: that is how a repeated request finds them. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/api/array_values.h"
#include "daemon/api/job_graph.h"
#include "daemon/api/job_resources.h"
#include "daemon/api/request_digest.h"
#include "daemon/api/submit_spec.h"
#include "daemon/engine/submit.h"
#include "daemon/engine/values.h"

#include <stdlib.h>
#include <string.h>

/* What is of the request as a whole, or of a connection. */
static const char *const not_of_one[] = {"key", "dry_run", "values_id"};

/* A request on its way. */
struct order {
    struct job_graph graph;
    struct job_facts *facts; /* owned; as many of them as were decoded, in the order of the graph */
    size_t decoded;
    char *digest; /* owned; NULL without a key */
    const char *key;
    bool dry_run;
};

static void order_done(struct order *order)
{
    for (size_t i = 0; i < order->decoded; i++)
        job_facts_done(&order->facts[i]);
    free(order->facts);
    free(order->digest);
    job_graph_done(&order->graph);
}

/* ---- replies ---- */

static void refuse_graph(struct api_call *call, struct order *order, const struct error *err)
{
    if (order->graph.path == NULL) {
        submit_refuse(call, err, 0);
        return;
    }
    json_t *extra = json_object();
    json_put(extra, "path", json_incref(order->graph.path));
    reply_error(call, "DependencyCycle", extra, err->text, NULL);
}

/* The state of one; a job of a request that is repeated may be gone: null. */
static json_t *view_state(const struct api *api, uint64_t id)
{
    struct job_row row;
    const struct job *job = jobset_find(engine_jobs(api->engine), id);
    if (job != NULL)
        return json_string(job_state_word(job_state_of(job)));
    if (id == 0)
        return json_string(job_state_word(JOB_STATE_PENDING));
    if (job_rows_load(engine_db(api->engine), id, &row, NULL) < 0)
        return json_null();
    json_t *state = json_string(job_state_word(row.status.state));
    job_row_done(&row);
    return state;
}

/* Of a dry run first_id is 0, as are all ids. */
static void answer(struct api_call *call, const struct order *order, uint64_t first_id,
                   bool existing)
{
    json_t *reply = json_object();
    json_t *jobs = json_array();
    for (size_t i = 0; i < order->graph.count; i++) {
        uint64_t id = first_id == 0 ? 0 : first_id + i;
        json_t *job = json_object();
        json_put_text(job, "name", order->graph.jobs[i].name);
        json_put_int(job, "id", (int64_t)id);
        json_put(job, "state", view_state(call->api, id));
        (void)json_array_append_new(jobs, job);
    }
    json_put(reply, "jobs", jobs);
    json_put(reply, "existing", json_boolean(existing));
    put_dry_run(reply, order->dry_run);
    reply_done(call, reply);
}

/* ---- was it made before? ---- */

/* The order of the jobs, which their ids follow, is part of what is asked for. True after replying.
 */
static bool answered(struct api_call *call, struct order *order)
{
    struct request_key key = {.uid = call->uid};
    struct error err;
    uint64_t id = 0;
    if (submit_key_read(call->params, &key.text, &err) < 0) {
        submit_refuse(call, &err, 0);
        return true;
    }
    if (key.text == NULL)
        return false;
    CLEANUP_FREE char *names = job_graph_names(&order->graph);
    CLEANUP_FREE char *method = xasprintf("SubmitMany %s", names);
    order->key = key.text;
    key.digest = order->digest = request_digest(call, method);
    int found = engine_find_key(call->api->engine, &key, &id, &err);
    if (found < 0)
        submit_refuse(call, &err, id);
    else if (found > 0)
        answer(call, order, id, true);
    return found != 0;
}

/* ---- each job ---- */

static int check_members(const json_t *members, struct error *err)
{
    if (json_only_known(members, submit_fields, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(not_of_one) / sizeof(not_of_one[0]); i++) {
        if (json_object_get(members, not_of_one[i]) != NULL)
            return error_set_field(err, not_of_one[i],
                                   "%s is none of a job that is submitted with others",
                                   not_of_one[i]);
    }
    return 0;
}

/* Without what is read elsewhere; a job that has no name has that of its place in the request. */
static json_t *own_members(const struct graph_job *job)
{
    json_t *members = json_copy(job->members);
    (void)json_object_del(members, "depends");
    if (json_object_get(members, "name") == NULL)
        json_put_text(members, "name", job->name);
    return members;
}

static int decode(const struct api_call *call, struct graph_job *job, struct job_facts *ret,
                  struct error *err)
{
    if (check_members(job->members, err) < 0)
        return -1;
    CLEANUP_JSON json_t *members = own_members(job);
    if (submit_spec_decode(call, members, ret, err) < 0)
        return -1;
    ret->depends = job->depends;
    job->depends = (struct dependency_spec){.items = NULL};
    return 0;
}

static int decode_all(const struct api_call *call, struct order *order, struct error *err)
{
    struct job_graph *graph = &order->graph;
    order->facts = xcalloc(graph->count, sizeof(*order->facts));
    for (; order->decoded < graph->count; order->decoded++) {
        struct graph_job *job = &graph->jobs[order->decoded];
        if (decode(call, job, &order->facts[order->decoded], err) < 0) {
            job_graph_blame(job->name, err);
            return -1;
        }
    }
    order->facts[0].key = xstrdup(order->key);
    order->facts[0].digest = TAKE_PTR(order->digest);
    return 0;
}

/* ---- what Submit has answers of its own for ---- */

static bool refuse_misfits(struct api_call *call, const struct order *order)
{
    struct error err;
    for (size_t i = 0; i < order->graph.count; i++) {
        json_t *extra = job_resources_misfit(call, &order->facts[i], NULL, &err);
        if (extra == NULL)
            continue;
        err.field[0] = '\0';
        job_graph_blame(order->graph.jobs[i].name, &err);
        json_put_text(extra, "field", err.field);
        reply_error(call, "NeverFits", extra, err.text, NULL);
        return true;
    }
    return false;
}

static const char *twin_before(const struct order *order, size_t at)
{
    const char *unique = order->facts[at].unique;
    for (size_t i = 0; i < at && unique != NULL; i++) {
        if (order->facts[i].unique != NULL && strcmp(order->facts[i].unique, unique) == 0)
            return order->graph.jobs[i].name;
    }
    return NULL;
}

/* A job that is there already would be in the place of one of the graph, with other work. */
static bool refuse_duplicates(struct api_call *call, const struct order *order)
{
    struct error err;
    for (size_t i = 0; i < order->graph.count; i++) {
        const char *name = order->graph.jobs[i].name;
        const char *twin = twin_before(order, i);
        uint64_t id = 0;
        if (twin != NULL)
            (void)error_set_field(&err, "unique", "unique is that of job %s, too", twin);
        else if (engine_find_unique(call->api->engine, &order->facts[i], &id, &err) == 0 && id == 0)
            continue;
        if (id != 0)
            (void)error_set(&err, ERROR_CONFLICT,
                            "job %llu, which is unique by \"%.80s\", has not ended",
                            (unsigned long long)id, order->facts[i].unique);
        job_graph_blame(name, &err);
        if (id != 0)
            submit_refuse_duplicate(call, &err, id);
        else
            submit_refuse(call, &err, 0);
        return true;
    }
    return false;
}

/* ---- taking them ---- */

static int take_values(const struct api_call *call, const struct order *order, size_t *ret_at,
                       struct error *err)
{
    for (*ret_at = 0; *ret_at < order->graph.count; (*ret_at)++) {
        const json_t *members = order->graph.jobs[*ret_at].members;
        if (array_values_given(members) &&
            array_values_take(call, members, &order->facts[*ret_at], err) < 0)
            return -1;
    }
    return 0;
}

/* -1 with err, which names the job that it is of. */
static int take(const struct api_call *call, struct order *order, struct error *err)
{
    struct engine *engine = call->api->engine;
    size_t count = order->graph.count;
    size_t at;
    int result = take_values(call, order, &at, err);
    if (result == 0)
        result = order->dry_run ? engine_check_jobs(engine, order->facts, count, &at, err)
                                : engine_submit_jobs(engine, order->facts, count, &at, err);
    if (result < 0 && at < count && err->code != ERROR_LIMIT && err->code != ERROR_BUSY)
        job_graph_blame(order->graph.jobs[at].name, err);
    for (size_t i = 0; i < count && (result < 0 || order->dry_run); i++)
        engine_values_drop(engine, order->facts[i].value_set);
    return result;
}

static void submit(struct api_call *call, struct order *order)
{
    struct error err;
    if (get_dry_run(call, &order->dry_run) < 0)
        return;
    if (job_graph_read(call->params, &order->graph, &err) < 0) {
        refuse_graph(call, order, &err);
        return;
    }
    if (answered(call, order) || submit_refuse_uid(call, call->uid))
        return;
    if (decode_all(call, order, &err) < 0) {
        submit_refuse(call, &err, 0);
        return;
    }
    if (refuse_misfits(call, order) || refuse_duplicates(call, order))
        return;
    if (take(call, order, &err) < 0)
        submit_refuse(call, &err, 0);
    else
        answer(call, order, order->facts[0].id, false);
}

static void run(struct api_call *call)
{
    CLEANUP(order_done) struct order order = {.facts = NULL};
    submit(call, &order);
}

static const char *const fields[] = {"jobs", "key", "dry_run", NULL};

const struct api_verb verb_submit_many = {.method = "io.batchd.Jobs.SubmitMany",
                                          .fields = fields,
                                          .large = true,
                                          .submits = true,
                                          .run = run};
