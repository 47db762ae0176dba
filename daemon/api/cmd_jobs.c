/* io.batchd.Jobs.List {states, user, name, queue, tags, since_us, until_us, all, limit, after_id,
 *   newest, ids, tasks, after_index, started} -> {jobs: [job], next: id or null, counts: {state:
 * n}, next_index} io.batchd.Jobs.Show {id, index, env_values, attempts, predict} -> {job: {...,
 * env, attempts, predicted_end, prediction}}
 */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "daemon/api/array_values.h"
#include "daemon/api/attempts_view.h"
#include "daemon/api/checkpoints.h"
#include "daemon/api/retry_members.h"
#include "daemon/api/prediction.h"
#include "daemon/api/reasons.h"
#include "daemon/api/tasks.h"
#include "daemon/api/users.h"
#include "daemon/api/view.h"
#include "daemon/store/task_rows.h"

#include <inttypes.h>
#include <string.h>

/* One reply stays well under what a client reads at once; more is asked for by after_id. */
#define LIST_LIMIT_MAX 1000
#define LIST_LIMIT_DEFAULT 100
#define LIST_IDS_MAX 10000
#define DAY_US (INT64_C(86400) * US_PER_SECOND)

/* Tasks of arrays, and with them jobs, that one request looks at: few of them may match. */
#define LIST_TASKS_MAX 10000

struct listing {
    const struct api *api;
    const json_t *tags; /* all of these must match; may be NULL */
    const json_t *ids;  /* any of these must match; may be NULL */
    bool by_task;       /* an array is shown as its tasks, all or those of `ids` */
    bool all_tasks;     /* of every array */
    bool started;       /* only what has started */
    const struct job_filter *filter;
    json_t *jobs;
    size_t limit;
    uint64_t from_id; /* go on within this array, behind the task from_index */
    int64_t from_index;
    uint64_t last;
    int64_t last_index; /* -1: `last` is done with */
    size_t looked_at;   /* tasks, and jobs that did not match */
    bool more;          /* a further row was there */
    bool failed;
    struct error err; /* counts when failed */
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
        if (json_object_get(entry, "id") != NULL) /* tasks of it */
            continue;
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

static bool matches(const struct listing *listing, const struct job_status *status)
{
    return (!listing->filter->states_set || listing->filter->states[status->state]) &&
           (!listing->started || status->started_at != 0);
}

/* Non-zero: the page is full. */
static int add_job(struct listing *listing, const struct job_row *row)
{
    if (!matches(listing, &row->status)) {
        listing->looked_at++;
        listing->last = row->facts.id;
        listing->last_index = -1;
        return 0;
    }
    if (json_array_size(listing->jobs) == listing->limit) {
        listing->more = true;
        return 1;
    }
    (void)json_array_append_new(listing->jobs, view_job(listing->api, row));
    listing->last = row->facts.id;
    listing->last_index = -1;
    return 0;
}

static int add_task(struct listing *listing, const struct job_row *array,
                    const struct array_spec *spec, uint64_t position)
{
    struct job_row task = *array; /* shares all but the status */
    if (json_array_size(listing->jobs) == listing->limit || listing->looked_at == LIST_TASKS_MAX) {
        listing->more = true;
        return 1;
    }
    if (tasks_status(listing->api, array, spec, position, &task.status, &listing->err) < 0) {
        listing->failed = true;
        return 1;
    }
    if (matches(listing, &task.status))
        (void)json_array_append_new(listing->jobs, view_job(listing->api, &task));
    job_status_done(&task.status);
    listing->looked_at++;
    listing->last = array->facts.id;
    listing->last_index = (int64_t)task.status.index;
    return 0;
}

/* Which tasks of the array are asked for: all, or the union of those that `ids` names. */
static int choose_tasks(const struct listing *listing, const struct job_row *row, struct tasks *ret,
                        struct error *err)
{
    size_t i;
    json_t *entry;
    if (tasks_read(NULL, row, ret, err) < 0)
        return -1;
    if (in_ids(listing->ids, row->facts.id))
        return 0;
    task_ranges_done(&ret->named);
    json_array_foreach(listing->ids, i, entry) {
        struct tasks some = {.spec = {.ranges = NULL}};
        if ((uint64_t)json_integer_value(json_object_get(entry, "id")) != row->facts.id)
            continue;
        if (tasks_read(entry, row, &some, err) < 0) {
            tasks_done(ret);
            return -1;
        }
        for (size_t k = 0; k < some.named.count; k++)
            task_ranges_add(&ret->named, some.named.ranges[k].first, some.named.ranges[k].last);
        tasks_done(&some);
    }
    return 0;
}

static int add_range(struct listing *listing, const struct job_row *row, const struct tasks *tasks,
                     uint64_t from)
{
    int stop = 0;
    for (size_t i = 0; i < tasks->named.count && stop == 0; i++) {
        const struct task_range *range = &tasks->named.ranges[i];
        for (uint64_t at = range->first > from ? range->first : from;
             at <= range->last && stop == 0; at++)
            stop = add_task(listing, row, &tasks->spec, at);
    }
    return stop;
}

struct begun {
    uint64_t *indices; /* room for a page of them */
    size_t count;
};

static void note_begun(void *arg, uint64_t index, enum job_state state)
{
    struct begun *begun = arg;
    (void)state;
    begun->indices[begun->count++] = index;
}

/* Only those that have a row of their own: of a million that were cancelled these may be few. */
static int add_begun(struct listing *listing, const struct job_row *row, const struct tasks *tasks,
                     uint64_t from)
{
    struct db *db = engine_db(listing->api->engine);
    CLEANUP_FREE uint64_t *indices = xcalloc(TASK_STATES_PAGE, sizeof(*indices));
    struct begun begun = {.indices = indices, .count = TASK_STATES_PAGE};
    int stop = 0;
    if (from >= tasks->spec.total)
        return 0;
    uint64_t index = array_spec_index(&tasks->spec, from);
    while (stop == 0 && begun.count == TASK_STATES_PAGE) {
        begun.count = 0;
        if (task_rows_each_state(db, row->facts.id, index, note_begun, &begun, &listing->err) < 0) {
            listing->failed = true;
            return 1;
        }
        for (size_t i = 0; i < begun.count && stop == 0; i++) {
            uint64_t at;
            index = indices[i] + 1;
            if (array_spec_position(&tasks->spec, indices[i], &at) &&
                task_ranges_has(&tasks->named, at))
                stop = add_task(listing, row, &tasks->spec, at);
        }
    }
    return stop;
}

static int add_tasks(struct listing *listing, const struct job_row *row)
{
    struct tasks tasks = {.spec = {.ranges = NULL}};
    uint64_t from = 0;
    if (choose_tasks(listing, row, &tasks, &listing->err) < 0) {
        listing->failed = true;
        return 1;
    }
    if (listing->from_index >= 0 && row->facts.id == listing->from_id &&
        array_spec_position(&tasks.spec, (uint64_t)listing->from_index, &from))
        from++;
    int stop = listing->started ? add_begun(listing, row, &tasks, from)
                                : add_range(listing, row, &tasks, from);
    tasks_done(&tasks);
    return stop;
}

static bool names_tasks_of(const json_t *ids, uint64_t id)
{
    size_t i;
    const json_t *entry;
    json_array_foreach((json_t *)(uintptr_t)ids, i, entry) {
        if ((uint64_t)json_integer_value(json_object_get(entry, "id")) == id)
            return true;
    }
    return false;
}

static int add_to_list(void *arg, const struct job_row *row)
{
    struct listing *listing = arg;
    uint64_t id = row->facts.id;
    bool whole = in_ids(listing->ids, id);
    bool by_task = row->facts.array != NULL && listing->all_tasks && whole;
    if (listing->tags != NULL && !has_tags(listing->tags, row->facts.tags))
        return 0;
    if (listing->looked_at >= LIST_TASKS_MAX) {
        listing->more = true;
        return 1;
    }
    bool begun = listing->from_index >= 0 && id == listing->from_id; /* its own line was sent */
    if (whole && !by_task && !begun && add_job(listing, row) != 0)
        return 1;
    return by_task || names_tasks_of(listing->ids, id) ? add_tasks(listing, row) : 0;
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
    int found = json_get_string(call->params, "user", false, &user, err);
    if (found <= 0)
        return found;
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
    int found = json_get_array(params, "ids", false, ret, err);
    if (found <= 0)
        return found;
    if (json_array_size(*ret) > LIST_IDS_MAX)
        return error_set_field(err, "ids", "ids has %zu entries; at most %d are allowed",
                               json_array_size(*ret), LIST_IDS_MAX);
    json_array_foreach(*ret, i, entry) {
        const json_t *task_of = json_object_get(entry, "id");
        const json_t *from = json_is_object(entry) ? json_object_get(entry, "from") : entry;
        const json_t *to = json_is_object(entry) ? json_object_get(entry, "to") : entry;
        from = task_of != NULL && tasks_are_named(entry) ? task_of : from;
        to = task_of != NULL && tasks_are_named(entry) ? task_of : to;
        if (!json_is_integer(from) || !json_is_integer(to) || json_integer_value(from) < 1 ||
            json_integer_value(to) < json_integer_value(from))
            return error_set_field(err, "ids",
                                   "ids[%zu] must be a job id, {from, to}, {id, index} or "
                                   "{id, indices}",
                                   i);
        uint64_t low = (uint64_t)json_integer_value(from);
        uint64_t high = (uint64_t)json_integer_value(to);
        filter->first = filter->first == 0 || low < filter->first ? low : filter->first;
        filter->last = high > filter->last ? high : filter->last;
    }
    return 0;
}

/* Where to go on, and whether arrays are shown as their tasks: then states are those of tasks, so
 * the rows of all jobs are looked at. */
static int read_tasks(const json_t *params, struct job_filter *filter, struct listing *listing,
                      struct error *err)
{
    size_t i;
    const json_t *entry;
    listing->from_index = -1;
    if (json_get_bool(params, "tasks", false, &listing->all_tasks, err) < 0 ||
        json_get_bool(params, "started", false, &listing->started, err) < 0 ||
        json_get_int(params, "after_index", false, 0, ARRAY_INDEX_MAX, &listing->from_index, err) <
            0)
        return -1;
    listing->by_task = listing->all_tasks;
    json_array_foreach((json_t *)(uintptr_t)listing->ids, i, entry)
        listing->by_task |= json_object_get(entry, "id") != NULL;
    listing->from_id = filter->after;
    if (listing->from_index >= 0 && filter->after > 0) /* the array itself once more */
        filter->after += filter->newest_first ? 1 : UINT64_MAX;
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
        json_get_string(params, "queue", false, &filter->queue, err) < 0 ||
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
    *listing = (struct listing){
        .api = call->api, .tags = tags, .ids = ids, .filter = filter, .limit = (size_t)limit};
    return read_tasks(params, filter, listing, err);
}

/* Of the ids that were given one by one those that are no jobs, or not of this user. */
static int find_missing(const struct api_call *call, const struct listing *listing, json_t *missing,
                        struct error *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)(uintptr_t)listing->ids, i, entry) {
        const json_t *number = json_is_object(entry) ? json_object_get(entry, "id") : entry;
        uint64_t id = (uint64_t)json_integer_value(number);
        struct job_row row;
        if (number == NULL) /* {from, to} */
            continue;
        bool there = job_rows_load(engine_db(call->api->engine), id, &row, err) == 0;
        if (!there && err->code != ERROR_NOT_FOUND)
            return -1;
        if (!there || !access_job(call, row.facts.uid))
            (void)json_array_append_new(missing, json_integer((json_int_t)id));
        if (there)
            job_row_done(&row);
    }
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
    struct job_filter rows = filter;
    rows.states_set = filter.states_set && !listing.by_task;
    listing.jobs = jobs;
    if (job_rows_list(engine_db(call->api->engine), &rows, add_to_list, &listing, &err) < 0 ||
        listing.failed) {
        reply_failure(call, listing.failed ? &listing.err : &err);
        return;
    }
    if (filter.queue != NULL && json_array_size(jobs) == 0 && !listing.more &&
        engine_queue_find(call->api->engine, filter.queue) == NULL) {
        (void)error_set_field(&err, "queue", "no queue \"%.80s\"", filter.queue);
        reply_unknown(call, "NoSuchQueue", &err, "batchctl queue list");
        return;
    }
    json_t *missing = json_array();
    if (filter.after == 0 && find_missing(call, &listing, missing, &err) < 0) {
        json_decref(missing);
        reply_failure(call, &err);
        return;
    }
    json_t *reply = json_object();
    json_put(reply, "missing", missing);
    json_put(reply, "jobs", json_incref(jobs));
    json_put(reply, "next", listing.more ? json_integer((json_int_t)listing.last) : json_null());
    json_put(reply, "next_index",
             listing.more && listing.last_index >= 0 ? json_integer(listing.last_index)
                                                     : json_null());
    json_put(reply, "counts", count_states(call));
    reply_done(call, reply);
}

static const char *const list_fields[] = {
    "states",   "user",   "name", "tags",  "since_us",    "until_us", "all",     "limit",
    "after_id", "newest", "ids",  "tasks", "after_index", "queue",    "started", NULL};
const struct api_verb verb_list = {
    .method = "io.batchd.Jobs.List", .fields = list_fields, .run = run_list};

/* ---- Show ---- */

/* What is left of a job whose worker died: nobody removes what it wrote, and it may be of use. */
static void note_left(const struct job_row *row, json_t *job)
{
    const struct job_status *status = &row->status;
    if (status->state != JOB_STATE_FAILED || status->outcome.class != OUTCOME_LOST ||
        json_array_size(json_object_get(job, "outputs")) == 0 ||
        !json_is_null(json_object_get(job, "note")))
        return;
    CLEANUP_FREE char *task = status->is_task ? xasprintf("_%" PRIu64, status->index) : xstrdup("");
    CLEANUP_FREE char *text =
        xasprintf("what it wrote of its outputs may be left beside them, as .batchd-%" PRIu64
                  "%s-%" PRIu32 "-*",
                  status->id, task, status->attempt);
    json_put_text(job, "note", text);
}

static void run_show(struct api_call *call)
{
    bool env_values = false;
    bool attempts = false;
    bool predict = false;
    struct error err;
    struct job_row row;
    if (json_get_bool(call->params, "env_values", false, &env_values, &err) < 0 ||
        json_get_bool(call->params, "attempts", false, &attempts, &err) < 0 ||
        json_get_bool(call->params, "predict", false, &predict, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (load_named(call, &row) < 0)
        return;
    json_t *job = view_job(call->api, &row);
    json_put(job, "env", view_env(&row, env_values));
    array_values_view(call->api, &row, job);
    json_put(job, "retry", retry_members_view(&row.facts.retry));
    const uint64_t memory = attempts_suggest_memory(call->api, &row);
    json_put(job, "suggested_memory", memory == 0 ? json_null() : json_integer((int64_t)memory));
    checkpoints_view(call->api, &row.status, job);
    note_left(&row, job);
    if (attempts)
        json_put(job, "attempts", attempts_view(call->api, &row));
    if (predict) {
        json_put(job, "predicted_end", json_null());
        json_put(job, "prediction", json_null());
    }
    json_t *reply = json_object();
    json_put(reply, "job", job);
    if (predict && reasons_waits(call->api, &row))
        prediction_reply(call, &row, false, reply, job);
    else
        reply_done(call, reply);
    job_row_done(&row);
}

static const char *const show_fields[] = {"id", "index", "env_values", "attempts", "predict", NULL};
const struct api_verb verb_show = {
    .method = "io.batchd.Jobs.Show", .fields = show_fields, .run = run_show};
