/* io.batchd.Jobs.Plan {queue, user, limit} -> {jobs: [line], more, complete}
 * What runs and what waits, in the order of its starts, with predicted starts and ends: the
 * scheduler run forward in a copy of the daemon. Others' jobs count, and are shown to who may see
 * all. The copy says who starts when; names are looked up here. With "more" the lines come in
 * parts, as they are looked up; the last reply has none, and says `more` and `complete`. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/prediction.h"
#include "daemon/api/reasons.h"
#include "daemon/api/users.h"
#include "daemon/api/view.h"
#include "daemon/engine/gate.h"
#include "daemon/engine/outlook.h"
#include "daemon/exec/snapshot.h"

#include <stdlib.h>

#define PLAN_LIMIT_DEFAULT 1000
/* Some 250 bytes each: 2.5 MB at most for a client that does not read. */
#define PLAN_LIMIT_MAX 10000
/* So many in a part of the answer: the daemon looks up their names in one go, some 1 ms. */
#define PART_LINES 64U
#define ANY_QUEUE (-1)

/* A call that waits for its answer, and what the child is asked. */
struct plan {
    struct api *api;
    struct snapshot *snapshot;
    json_t *reply; /* owned, as the next, which is a part of it */
    json_t *jobs;
    size_t limit;
    int queue; /* its number, or ANY_QUEUE */
    bool uid_set;
    uint32_t uid;
    int64_t now;
};

/* ---- the child ---- */

/* A job, a task that runs, or the tasks of an array that are to come. */
struct line {
    uint64_t id, tasks; /* 0: it is one */
    int64_t index;      /* of a task, or -1 */
    int64_t start, end; /* 0: nobody can say */
    enum job_state state;
    bool runs; /* its start is one that was */
};

struct planning {
    const struct plan *what;
    struct forecast *forecast;
    struct prediction_clock clock;
    struct line *lines; /* owned */
    size_t count, room;
    size_t open;    /* arrays of which tasks are to start yet */
    bool more, cut; /* a further line would be one too many; the time was over */
    bool closed;    /* the machine takes no job now, and nobody can say until when */
};

static bool is_asked(const struct plan *what, const struct job *job)
{
    return (!what->uid_set || job->uid == what->uid) &&
           (what->queue == ANY_QUEUE || job->queue == what->queue);
}

static struct line *add_line(struct planning *planning, const struct line *line)
{
    if (planning->count == planning->what->limit) {
        planning->more = true;
        return NULL;
    }
    if (planning->count == planning->room) {
        planning->room = planning->room == 0 ? 256 : planning->room * 2;
        planning->lines = xreallocarray(planning->lines, planning->room, sizeof(*planning->lines));
    }
    planning->lines[planning->count] = *line;
    return &planning->lines[planning->count++];
}

/* The tasks of an array to come have one line, whose number + 1 is the label of its counts. */
static void add_task(struct planning *planning, const struct forecast_run *run)
{
    const struct line first = {.id = run->job->id, .index = -1, .start = run->started_at};
    struct line *line = NULL;
    if (run->count->label == 0) {
        line = add_line(planning, &first);
        run->count->label = line == NULL ? 0 : planning->count;
        planning->open += line != NULL;
    } else {
        line = &planning->lines[run->count->label - 1];
    }
    if (line == NULL)
        return;
    line->tasks++;
    line->end = run->ends_at > line->end ? run->ends_at : line->end;
    planning->open -= run->count->waiting == 0;
}

static bool on_started(void *arg, const struct forecast_run *run)
{
    struct planning *planning = arg;
    struct forecast_run told = *run;
    if (planning->closed)
        told.started_at = told.ends_at = 0;
    const struct line line = {.id = run->job->id,
                              .index = run->index,
                              .start = told.started_at,
                              .end = told.ends_at,
                              /* A task that is known has been handed to a worker ahead of time. */
                              .state =
                                  run->index < 0 ? job_state_of(run->job) : JOB_STATE_STARTING};
    if (is_asked(planning->what, run->job)) {
        if (run->count != NULL)
            add_task(planning, &told);
        else
            (void)add_line(planning, &line);
    }
    planning->cut = prediction_clock_over(&planning->clock);
    return !planning->cut && !(planning->more && planning->open == 0);
}

/* What a worker has been told of, and has not begun, was given the present as its start. */
static void on_running(void *arg, const struct forecast_run *run)
{
    struct planning *planning = arg;
    bool runs = run->started_at < planning->what->now;
    enum job_state state = runs ? JOB_STATE_RUNNING : JOB_STATE_STARTING;
    if (run->is_task &&
        engine_task_suspended(planning->what->api->engine, run->job->id, (uint64_t)run->index))
        state = JOB_STATE_SUSPENDED;
    const struct line line = {.id = run->job->id,
                              .index = run->index,
                              .start = run->started_at,
                              .end = run->ends_at,
                              .state = run->is_task ? state : job_state_of(run->job),
                              .runs = runs};
    if (is_asked(planning->what, run->job))
        (void)add_line(planning, &line);
}

static const struct forecast_events plan_events = {.running = on_running, .started = on_started};

/* What the forecast left in its queue, or blocked. */
static void add_rest(void *arg, const struct job *job)
{
    struct planning *planning = arg;
    const struct plan *what = planning->what;
    const struct task_count *count = engine_task_count(what->api->engine, job->id);
    const struct scheduler *scheduler = engine_scheduler(what->api->engine);
    struct line line = {.id = job->id, .index = -1};
    bool stays =
        job->queued || job_blocked_by(job, JOB_BLOCKS) || !scheduler_ever_fits(scheduler, job);
    if (job_is_array(job)) {
        line.tasks = count == NULL ? 0 : count->waiting;
        stays = line.tasks > 0 && count->label == 0;
    }
    if (stays && (job_is_array(job) || job_state_of(job) == JOB_STATE_PENDING) &&
        is_asked(what, job))
        (void)add_line(planning, &line);
}

/* By their starts; what has none is behind, by id. */
static int compare(const void *a, const void *b)
{
    const struct line *first = a;
    const struct line *second = b;
    if ((first->start == 0) != (second->start == 0))
        return first->start == 0 ? 1 : -1;
    if (first->start != second->start)
        return first->start < second->start ? -1 : 1;
    if (first->id != second->id)
        return first->id < second->id ? -1 : 1;
    return (first->index > second->index) - (first->index < second->index);
}

static json_t *view_line(const struct line *line)
{
    json_t *object = json_object();
    json_put_int(object, "id", (int64_t)line->id);
    json_put(object, "index", line->index < 0 ? json_null() : json_integer(line->index));
    json_put_int(object, "tasks", (int64_t)line->tasks);
    json_put_text(object, "state", job_state_word(line->state));
    json_put(object, "runs", json_boolean(line->runs));
    json_put(object, "start", view_time(line->start));
    json_put(object, "end", view_time(line->end));
    return object;
}

static void write_json(struct snapshot_writer *writer, const json_t *value)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = json_to_text(value, &bytes);
    snapshot_write(writer, text, bytes);
}

static void write_lines(const struct planning *planning, struct snapshot_writer *writer)
{
    CLEANUP_JSON json_t *end = json_object();
    for (size_t i = 0; i < planning->count; i += PART_LINES) {
        CLEANUP_JSON json_t *part = json_array();
        for (size_t at = i; at < planning->count && at < i + PART_LINES; at++)
            (void)json_array_append_new(part, view_line(&planning->lines[at]));
        write_json(writer, part);
    }
    json_put(end, "more", json_boolean(planning->more));
    json_put(end, "complete", json_boolean(!planning->cut));
    write_json(writer, end);
}

static void work(void *arg, struct snapshot_writer *writer)
{
    const struct plan *what = arg;
    struct engine *engine = what->api->engine;
    struct planning planning = {.what = what,
                                .clock = prediction_clock_start(PREDICTION_MS),
                                .closed = !engine_is_open(engine)};
    planning.forecast = engine_forecast(engine, what->now, &plan_events, &planning);
    forecast_go(planning.forecast);
    forecast_free(planning.forecast);
    if (!planning.cut && !planning.more)
        jobset_each(engine_jobs(engine), add_rest, &planning);
    if (planning.count > 0)
        qsort(planning.lines, planning.count, sizeof(*planning.lines), compare);
    write_lines(&planning, writer);
}

/* ---- the daemon ---- */

static void release(struct api_call *call)
{
    struct plan *plan = call->state;
    call->state = NULL;
    call->cancel = NULL;
    if (plan->snapshot != NULL)
        snapshot_cancel(plan->snapshot);
    json_decref(plan->reply);
    free(plan);
}

/* The line with what the store says of its job; NULL when that is gone. */
static json_t *view_job_line(const struct api_call *call, const json_t *line)
{
    struct job_row row;
    bool runs = json_is_true(json_object_get(line, "runs"));
    uint64_t id = (uint64_t)json_integer_value(json_object_get(line, "id"));
    json_t *start = json_object_get(line, "start");
    if (job_rows_load(engine_db(call->api->engine), id, &row, NULL) < 0)
        return NULL;
    json_t *object = json_object();
    json_put_int(object, "id", (int64_t)id);
    json_put(object, "index", json_incref(json_object_get(line, "index")));
    json_put(object, "tasks", json_incref(json_object_get(line, "tasks")));
    json_put_text(object, "name", row.facts.name);
    json_put_text(object, "queue", row.facts.queue);
    json_put_text(object, "priority", job_priority_word(row.facts.priority));
    json_put_text(object, "user", users_name(call->api->users, row.facts.uid));
    json_put_int(object, "uid", row.facts.uid);
    json_put(object, "state", json_incref(json_object_get(line, "state")));
    json_put(object, "reasons", runs ? json_array() : reasons_words(call->api, &row));
    json_put(object, "started_at", runs ? json_incref(start) : json_null());
    json_put(object, "predicted_start", runs ? json_null() : json_incref(start));
    json_put(object, "predicted_end", json_incref(json_object_get(line, "end")));
    job_row_done(&row);
    return object;
}

static void send_part(struct api_call *call, json_t *jobs)
{
    json_t *reply = json_object();
    json_put(reply, "jobs", jobs);
    json_put(reply, "more", json_true());
    json_put(reply, "complete", json_true());
    reply_part(call, reply);
}

static void on_line(void *arg, const char *text, size_t bytes)
{
    struct api_call *call = arg;
    const struct plan *plan = call->state;
    CLEANUP_JSON json_t *part = json_loadb(text, bytes, 0, NULL);
    size_t i;
    json_t *line;
    if (json_is_object(part))
        (void)json_object_update(plan->reply, part);
    if (!json_is_array(part))
        return;
    json_t *jobs = call->more ? json_array() : json_incref(plan->jobs);
    json_array_foreach(part, i, line) {
        json_t *object = view_job_line(call, line);
        if (object != NULL)
            (void)json_array_append_new(jobs, object);
    }
    if (call->more)
        send_part(call, jobs);
    else
        json_decref(jobs);
}

static void on_done(void *arg, const struct error *err)
{
    struct api_call *call = arg;
    struct plan *plan = call->state;
    json_t *reply = json_incref(plan->reply);
    plan->snapshot = NULL;
    release(call);
    if (err == NULL) {
        reply_done(call, reply);
        return;
    }
    json_decref(reply);
    struct error busy = *err;
    busy.code = err->code == ERROR_LIMIT ? ERROR_BUSY : err->code;
    prediction_refuse(call, &busy);
}

static const struct snapshot_events events = {.line = on_line, .done = on_done};

static int read_queue(const struct api_call *call, struct plan *plan, struct error *err)
{
    const char *name = NULL;
    plan->queue = ANY_QUEUE;
    int found = json_get_string(call->params, "queue", false, &name, err);
    if (found <= 0)
        return found;
    const struct named_queue *queue = engine_queue_find(call->api->engine, name);
    if (queue == NULL) {
        (void)error_set_field(err, "queue", "no queue \"%.80s\"", name);
        err->code = ERROR_NOT_FOUND;
        return -1;
    }
    plan->queue = queue->number;
    return 0;
}

static int read_user(const struct api_call *call, struct plan *plan, struct error *err)
{
    const char *name = NULL;
    plan->uid_set = !access_all(call);
    plan->uid = call->uid;
    int found = json_get_string(call->params, "user", false, &name, err);
    if (found <= 0)
        return found;
    uint32_t uid = 0;
    if (users_find(call->api->users, name, &uid) < 0)
        return error_set_field(err, "user", "no user \"%.60s\"", name);
    if (plan->uid_set && uid != plan->uid)
        return error_set(err, ERROR_DENIED, "you may see the plan of your own jobs only");
    plan->uid_set = true;
    plan->uid = uid;
    return 0;
}

static int read_request(const struct api_call *call, struct plan *plan, struct error *err)
{
    int64_t limit = PLAN_LIMIT_DEFAULT;
    if (read_queue(call, plan, err) < 0 || read_user(call, plan, err) < 0 ||
        json_get_int(call->params, "limit", false, 1, PLAN_LIMIT_MAX, &limit, err) < 0)
        return -1;
    plan->limit = (size_t)limit;
    return 0;
}

static void run(struct api_call *call)
{
    struct error err;
    struct plan *plan = xcalloc(1, sizeof(*plan));
    *plan = (struct plan){.api = call->api, .reply = json_object(), .now = clock_wall_us()};
    plan->jobs = json_array();
    json_put(plan->reply, "jobs", plan->jobs);
    call->state = plan;
    call->cancel = release;
    const struct snapshot_order order = {
        .uid = call->uid, .work = work, .work_arg = plan, .events = &events, .events_arg = call};
    if (read_request(call, plan, &err) == 0)
        plan->snapshot = snapshot_start(call->api->snapshots, &order, &err);
    if (plan->snapshot != NULL)
        return;
    release(call);
    if (err.code == ERROR_NOT_FOUND)
        reply_unknown(call, "NoSuchQueue", &err, "batchctl queue list");
    else
        prediction_refuse(call, &err);
}

static const char *const fields[] = {"queue", "user", "limit", NULL};
const struct api_verb verb_plan = {.method = "io.batchd.Jobs.Plan", .fields = fields, .run = run};
