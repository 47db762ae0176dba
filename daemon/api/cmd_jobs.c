/* io.batchd.Jobs.List {states, user, name, tags, since_us, until_us, all, limit, after_id, newest,
 *   ids} -> {jobs: [job], next: id or null, counts: {state: n}}
 * io.batchd.Jobs.Show {id, index, env_values, attempts} -> {job: {..., env, attempts}}
 * io.batchd.Jobs.Cancel {id, grace_ms, reason} -> {id, state} */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "daemon/api/users.h"
#include "daemon/api/view.h"
#include "daemon/store/attempt_rows.h"

#include <string.h>

/* One reply stays well under what a client reads at once; more is asked for by after_id. */
#define LIST_LIMIT_MAX 1000
#define LIST_LIMIT_DEFAULT 100
#define DAY_US (INT64_C(86400) * US_PER_SECOND)

struct listing {
    const struct api *api;
    const json_t *tags; /* all of these must match; may be NULL */
    const json_t *ids;  /* any of these must match; may be NULL */
    json_t *jobs;
    size_t limit;
    uint64_t last;
    bool more; /* a further row was there */
};

static bool has_tags(const json_t *wanted, const char *text)
{
    CLEANUP_JSON json_t *tags = text == NULL ? NULL : json_loads(text, 0, NULL);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)wanted, name, value) {
        if (!json_equal(json_object_get(tags, name), value))
            return false;
    }
    return true;
}

static bool in_ids(const json_t *ids, uint64_t id)
{
    size_t i;
    json_t *entry;
    if (ids == NULL)
        return true;
    json_array_foreach(ids, i, entry) {
        json_int_t from = json_is_integer(entry)
                              ? json_integer_value(entry)
                              : json_integer_value(json_object_get(entry, "from"));
        json_int_t to =
            json_is_integer(entry) ? from : json_integer_value(json_object_get(entry, "to"));
        if ((json_int_t)id >= from && (json_int_t)id <= to)
            return true;
    }
    return false;
}

static int add_to_list(void *arg, const struct job_row *row)
{
    struct listing *listing = arg;
    if (!in_ids(listing->ids, row->facts.id) ||
        (listing->tags != NULL && !has_tags(listing->tags, row->facts.tags)))
        return 0;
    if (json_array_size(listing->jobs) == listing->limit) {
        listing->more = true;
        return 1;
    }
    (void)json_array_append_new(listing->jobs, view_job(listing->api, row));
    listing->last = row->facts.id;
    return 0;
}

static int read_states(const json_t *params, struct job_filter *filter, struct error *err)
{
    json_t *states = NULL;
    json_t *word;
    size_t i;
    if (json_get_array(params, "states", false, &states, err) < 0)
        return -1;
    json_array_foreach(states, i, word) {
        enum job_state state;
        const char *text = json_is_string(word) ? json_string_value(word) : "";
        if (job_state_parse(text, &state) < 0)
            return error_set_field(err, "states",
                                   "state \"%.30s\" must be pending, starting, running, suspended, "
                                   "completed, failed or cancelled",
                                   text);
        filter->states_set = true;
        filter->states[state] = true;
    }
    return 0;
}

static int read_user(const struct api_call *call, struct job_filter *filter, struct error *err)
{
    const char *user = NULL;
    uint32_t uid = 0;
    filter->uid_set = !access_all(call);
    filter->uid = call->uid;
    if (json_get_string(call->params, "user", false, &user, err) <= 0)
        return user == NULL ? 0 : -1;
    if (users_find(call->api->users, user, &uid) < 0)
        return error_set_field(err, "user", "no user \"%.60s\"", user);
    if (filter->uid_set && filter->uid != uid)
        return error_set(err, ERROR_DENIED, "you may list your own jobs only");
    filter->uid_set = true;
    filter->uid = uid;
    return 0;
}

static int read_ids(const json_t *params, struct job_filter *filter, json_t **ret,
                    struct error *err)
{
    json_t *entry;
    size_t i;
    if (json_get_array(params, "ids", false, ret, err) <= 0)
        return *ret == NULL ? 0 : -1;
    json_array_foreach(*ret, i, entry) {
        const json_t *from = json_is_object(entry) ? json_object_get(entry, "from") : entry;
        const json_t *to = json_is_object(entry) ? json_object_get(entry, "to") : entry;
        if (!json_is_integer(from) || !json_is_integer(to) || json_integer_value(from) < 1 ||
            json_integer_value(to) < json_integer_value(from))
            return error_set_field(err, "ids", "ids[%zu] must be a job id or {from, to}", i);
        uint64_t low = (uint64_t)json_integer_value(from);
        uint64_t high = (uint64_t)json_integer_value(to);
        filter->first = filter->first == 0 || low < filter->first ? low : filter->first;
        filter->last = high > filter->last ? high : filter->last;
    }
    return 0;
}

static int read_filter(const struct api_call *call, struct job_filter *filter,
                       struct listing *listing, struct error *err)
{
    const json_t *params = call->params;
    bool all = false;
    int64_t limit = LIST_LIMIT_DEFAULT;
    int64_t after = 0;
    json_t *tags = NULL;
    json_t *ids = NULL;
    if (read_states(params, filter, err) < 0 || read_user(call, filter, err) < 0 ||
        read_ids(params, filter, &ids, err) < 0 ||
        json_get_string(params, "name", false, &filter->name_glob, err) < 0 ||
        json_get_object(params, "tags", false, &tags, err) < 0 ||
        json_get_int(params, "since_us", false, 0, INT64_MAX, &filter->since, err) < 0 ||
        json_get_int(params, "until_us", false, 0, INT64_MAX, &filter->until, err) < 0 ||
        json_get_bool(params, "all", false, &all, err) < 0 ||
        json_get_bool(params, "newest", false, &filter->newest_first, err) < 0 ||
        json_get_int(params, "after_id", false, 0, INT64_MAX, &after, err) < 0 ||
        json_get_int(params, "limit", false, 1, LIST_LIMIT_MAX, &limit, err) < 0)
        return -1;
    filter->after = (uint64_t)after;
    /* What was asked for by id or by time is shown whatever its age. */
    if (!all && ids == NULL && filter->since == 0)
        filter->ended_after = clock_wall_us() - DAY_US;
    *listing = (struct listing){.api = call->api, .tags = tags, .ids = ids, .limit = (size_t)limit};
    return 0;
}

static json_t *count_states(const struct api_call *call)
{
    json_t *counts = json_object();
    for (unsigned i = 0; i < JOB_STATE_COMPLETED && access_all(call); i++)
        json_put_int(counts, job_state_word((enum job_state)i),
                     (int64_t)jobset_count(engine_jobs(call->api->engine), (enum job_state)i));
    return counts;
}

static void run_list(struct api_call *call)
{
    struct job_filter filter = {0};
    struct listing listing;
    struct error err;
    if (read_filter(call, &filter, &listing, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    CLEANUP_JSON json_t *jobs = json_array();
    listing.jobs = jobs;
    if (job_rows_list(engine_db(call->api->engine), &filter, add_to_list, &listing, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    json_t *reply = json_object();
    json_put(reply, "jobs", json_incref(jobs));
    json_put(reply, "next", listing.more ? json_integer((json_int_t)listing.last) : json_null());
    json_put(reply, "counts", count_states(call));
    reply_done(call, reply);
}

static const char *const list_fields[] = {"states",   "user",     "name", "tags",
                                          "since_us", "until_us", "all",  "limit",
                                          "after_id", "newest",   "ids",  NULL};
const struct api_verb verb_list = {
    .method = "io.batchd.Jobs.List", .fields = list_fields, .run = run_list};

/* ---- Show ---- */

static int add_attempt(void *arg, const struct job_status *attempt)
{
    json_t *object = json_object();
    json_put_int(object, "attempt", attempt->attempt);
    json_put_int(object, "worker", (int64_t)attempt->worker);
    json_put(object, "started_at", view_time(attempt->started_at));
    json_put(object, "ended_at", view_time(attempt->ended_at));
    json_put(object, "outcome", view_outcome(&attempt->outcome, JOB_STATE_FAILED));
    return json_array_append_new(arg, object);
}

/* The attempts before the current one, and the current one once it was begun. */
static json_t *view_attempts(const struct api *api, const struct job_row *row)
{
    struct error err;
    json_t *attempts = json_array();
    (void)attempt_rows_each(engine_db(api->engine), &row->status, add_attempt, attempts, &err);
    if (row->status.state == JOB_STATE_PENDING || row->status.attempt == 0)
        return attempts;
    json_t *now = json_object();
    json_put_int(now, "attempt", row->status.attempt);
    json_put_int(now, "worker", (int64_t)row->status.worker);
    json_put(now, "started_at", view_time(row->status.started_at));
    json_put(now, "ended_at", view_time(row->status.ended_at));
    json_put(now, "outcome", view_outcome(&row->status.outcome, row->status.state));
    (void)json_array_append_new(attempts, now);
    return attempts;
}

static void run_show(struct api_call *call)
{
    bool env_values = false;
    bool attempts = false;
    struct error err;
    struct job_row row;
    if (json_get_bool(call->params, "env_values", false, &env_values, &err) < 0 ||
        json_get_bool(call->params, "attempts", false, &attempts, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (load_named(call, &row) < 0)
        return;
    json_t *job = view_job(call->api, &row);
    json_put(job, "env", view_env(&row, env_values));
    if (attempts)
        json_put(job, "attempts", view_attempts(call->api, &row));
    job_row_done(&row);
    json_t *reply = json_object();
    json_put(reply, "job", job);
    reply_done(call, reply);
}

static const char *const show_fields[] = {"id", "index", "env_values", "attempts", NULL};
const struct api_verb verb_show = {
    .method = "io.batchd.Jobs.Show", .fields = show_fields, .run = run_show};

/* ---- Cancel ---- */

/* "cannot cancel job 42: it already failed (exit 3, 2m10s ago)" */
static char *describe_end(const struct job_row *row)
{
    const struct outcome *outcome = &row->status.outcome;
    int64_t past_us = clock_wall_us() - row->status.ended_at;
    char ago[32];
    format_span(past_us > 0 ? (uint64_t)past_us / US_PER_MS : 0, ago, sizeof(ago));
    CLEANUP_FREE char *how = outcome->class != OUTCOME_SPAWN && outcome->exit_code >= 0
                                 ? xasprintf("exit %d", outcome->exit_code)
                                 : xstrdup(outcome_class_word(outcome->class));
    return xasprintf("cannot cancel job %llu: it %s (%s, %s ago)",
                     (unsigned long long)row->facts.id,
                     row->status.state == JOB_STATE_COMPLETED ? "already completed"
                     : row->status.state == JOB_STATE_FAILED  ? "already failed"
                                                              : "was already cancelled",
                     how, ago);
}

static void refuse_ended(struct api_call *call, const struct job_row *row)
{
    json_t *extra = json_object();
    json_t *allowed = json_array();
    for (unsigned i = 0; i < JOB_STATE_COMPLETED; i++)
        (void)json_array_append_new(allowed, json_string(job_state_word((enum job_state)i)));
    json_put_text(extra, "state", job_state_word(row->status.state));
    json_put(extra, "allowed", allowed);
    json_put(extra, "ended_at", view_time(row->status.ended_at));
    json_put(extra, "outcome", view_outcome(&row->status.outcome, row->status.state));
    CLEANUP_FREE char *text = describe_end(row);
    reply_error(call, "InvalidState", extra, text, NULL);
}

static void run_cancel(struct api_call *call)
{
    struct error err;
    struct job_row row;
    uint64_t id;
    int64_t grace = -1;
    const char *reason = NULL;
    if (get_job_id(call, &id) < 0)
        return;
    if (json_get_int(call->params, "grace_ms", false, 0, DAY_US / 1000, &grace, &err) < 0 ||
        json_get_string(call->params, "reason", false, &reason, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (load_own_job(call, id, &row) < 0)
        return;
    enum job_state state = row.status.state;
    if (job_state_terminal(state)) {
        refuse_ended(call, &row);
        job_row_done(&row);
        return;
    }
    job_row_done(&row);
    if (engine_cancel(call->api->engine, id, grace, reason, &state, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    json_t *reply = json_object();
    json_put_int(reply, "id", (int64_t)id);
    json_put_text(reply, "state", job_state_word(state));
    reply_done(call, reply);
}

static const char *const cancel_fields[] = {"id", "grace_ms", "reason", NULL};
const struct api_verb verb_cancel = {
    .method = "io.batchd.Jobs.Cancel", .fields = cancel_fields, .run = run_cancel};
