/* io.batchd.Jobs.Wait {ids: [id | {id, index} | {id, indices}], any,
 *     for: "terminal"|"completed"|"running", timeout_ms, tasks: the same} -> {jobs: [job],
 * timed_out} Answers when all (any: one) of the jobs and tasks have reached it: terminal and
 * completed by ending, running by running or ending. Event-driven: nothing is polled. */
#include "daemon/api/tasks.h"
#include "daemon/api/view.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_IDS_MAX 10000U

/* A job, or a task of an array. */
struct awaited {
    uint64_t id;
    uint64_t position, index; /* of the task */
    bool is_task, met;
};

struct wait {
    struct awaited *items;
    size_t count, open;
    bool any, running;
    struct bus_subscriber *subscriber;
    struct timer *timer;
};

static void free_wait(struct wait *wait)
{
    free(wait->items);
    free(wait);
}

static void release(struct api_call *call)
{
    struct wait *wait = call->state;
    call->state = NULL;
    call->cancel = NULL;
    bus_unsubscribe(engine_bus(call->api->engine), wait->subscriber);
    timer_free(wait->timer);
    free_wait(wait);
}

/* The row of what is awaited, with a task's status in the place of its array's. */
static int load_item(const struct api *api, const struct awaited *item, struct job_row *ret)
{
    struct error err;
    struct tasks tasks = {.spec = {.ranges = NULL}};
    struct job_status task;
    if (job_rows_load(engine_db(api->engine), item->id, ret, &err) < 0)
        return -1;
    if (!item->is_task)
        return 0;
    int result = tasks_read(NULL, ret, &tasks, &err);
    if (result == 0) {
        result = tasks_status(api, ret, &tasks.spec, item->position, &task, &err);
        tasks_done(&tasks);
    }
    if (result < 0) {
        job_row_done(ret);
        return -1;
    }
    job_status_done(&ret->status);
    ret->status = task;
    return 0;
}

static void answer(struct api_call *call, bool timed_out)
{
    struct wait *wait = call->state;
    json_t *jobs = json_array();
    for (size_t i = 0; i < wait->count; i++) {
        struct job_row row;
        if (load_item(call->api, &wait->items[i], &row) < 0)
            continue;
        (void)json_array_append_new(jobs, view_job(call->api, &row));
        job_row_done(&row);
    }
    release(call);
    json_t *reply = json_object();
    json_put(reply, "jobs", jobs);
    json_put(reply, "timed_out", json_boolean(timed_out));
    reply_done(call, reply);
}

static void note(struct wait *wait, struct awaited *item, enum job_state state)
{
    bool reached = job_state_terminal(state) || (wait->running && state >= JOB_STATE_RUNNING);
    if (!reached || item->met)
        return;
    item->met = true;
    wait->open--;
}

static bool over(const struct wait *wait)
{
    return wait->open == 0 || (wait->any && wait->open < wait->count);
}

/* A task that is cancelled before it starts is told of by its array only. */
static void look_again(struct api_call *call, struct awaited *item)
{
    struct job_row row;
    if (item->met || load_item(call->api, item, &row) < 0)
        return;
    note(call->state, item, row.status.state);
    job_row_done(&row);
}

static void on_event(void *arg, const struct bus_event *event)
{
    struct api_call *call = arg;
    struct wait *wait = call->state;
    bool may_cancel = event->kind == BUS_TASKS_CANCELLED || event->kind == BUS_CANCELLING ||
                      event->kind == BUS_ENDED;
    for (size_t i = 0; i < wait->count; i++) {
        struct awaited *item = &wait->items[i];
        if (item->id != event->job)
            continue;
        if (item->is_task && !event->is_task && may_cancel)
            look_again(call, item);
        else if (item->is_task == event->is_task && (!item->is_task || item->index == event->index))
            note(wait, item, event->state);
    }
    if (over(wait))
        answer(call, false);
}

static void on_timeout(void *arg)
{
    answer(arg, true);
}

static int read_rest(const struct api_call *call, struct wait *wait, int64_t *ret_timeout,
                     struct error *err)
{
    const char *until = "terminal";
    if (json_get_bool(call->params, "any", false, &wait->any, err) < 0 ||
        json_get_string(call->params, "for", false, &until, err) < 0 ||
        json_get_int(call->params, "timeout_ms", false, 0, INT64_C(1) << 40U, ret_timeout, err) < 0)
        return -1;
    wait->running = strcmp(until, "running") == 0;
    if (!wait->running && strcmp(until, "terminal") != 0 && strcmp(until, "completed") != 0)
        return error_set_field(err, "for", "for \"%.30s\" must be terminal, completed or running",
                               until);
    return 0;
}

static struct awaited *add_item(struct wait *wait, const struct awaited *item)
{
    wait->items = xreallocarray(wait->items, wait->count + 1, sizeof(*wait->items));
    wait->items[wait->count] = *item;
    wait->open++;
    return &wait->items[wait->count++];
}

static int add_tasks(const struct api_call *call, struct wait *wait, const json_t *entry,
                     const struct job_row *row, struct error *err)
{
    struct tasks tasks = {.spec = {.ranges = NULL}};
    if (tasks_read(entry, row, &tasks, err) < 0)
        return -1;
    int result = 0;
    if (wait->count + task_ranges_count(&tasks.named, 0) > WAIT_IDS_MAX)
        result = error_set_field(err, "ids",
                                 "ids names over %u jobs and tasks; wait for the whole array %llu",
                                 WAIT_IDS_MAX, (unsigned long long)row->facts.id);
    for (size_t i = 0; i < tasks.named.count && result == 0; i++) {
        const struct task_range *range = &tasks.named.ranges[i];
        for (uint64_t at = range->first; at <= range->last && result == 0; at++) {
            const struct awaited item = {.id = row->facts.id,
                                         .position = at,
                                         .index = array_spec_index(&tasks.spec, at),
                                         .is_task = true};
            struct job_status task;
            result = tasks_status(call->api, row, &tasks.spec, at, &task, err);
            if (result == 0) {
                note(wait, add_item(wait, &item), task.state);
                job_status_done(&task);
            }
        }
    }
    tasks_done(&tasks);
    return result;
}

/* -1: replied already, and `call` is gone. */
static int add_entry(struct api_call *call, struct wait *wait, const json_t *entry, size_t at)
{
    struct error err;
    struct job_row row;
    bool tasks = tasks_are_named(entry);
    const json_t *number = tasks ? json_object_get(entry, "id") : entry;
    if (!json_is_integer(number) || json_integer_value(number) < 1) {
        (void)error_set_field(&err, "ids", "ids[%zu] is not a job id, {id, index} or {id, indices}",
                              at);
        reply_failure(call, &err);
        return -1;
    }
    const struct awaited item = {.id = (uint64_t)json_integer_value(number)};
    if (load_own_job(call, item.id, &row) < 0)
        return -1;
    int result = 0;
    if (tasks)
        result = add_tasks(call, wait, entry, &row, &err);
    else
        note(wait, add_item(wait, &item), row.status.state);
    job_row_done(&row);
    if (result < 0)
        reply_failure(call, &err);
    return result;
}

/* What has ended already is noted. -1: replied already, and `call` is gone. */
static int add_entries(struct api_call *call, struct wait *wait)
{
    struct error err;
    json_t *ids = NULL;
    json_t *tasks = NULL;
    if (json_get_array(call->params, "ids", true, &ids, &err) < 0 ||
        json_get_array(call->params, "tasks", false, &tasks, &err) < 0) {
        reply_failure(call, &err);
        return -1;
    }
    size_t first = json_array_size(ids);
    size_t count = first + json_array_size(tasks);
    if (count == 0 || count > WAIT_IDS_MAX) {
        (void)error_set_field(&err, "ids", "ids has %zu elements; it must have 1 to %u", count,
                              WAIT_IDS_MAX);
        reply_failure(call, &err);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = i < first ? json_array_get(ids, i) : json_array_get(tasks, i - first);
        if (add_entry(call, wait, entry, i) < 0)
            return -1;
    }
    return 0;
}

static void run(struct api_call *call)
{
    struct wait *wait = xcalloc(1, sizeof(*wait));
    struct error err;
    int64_t timeout = -1;
    if (read_rest(call, wait, &timeout, &err) < 0) {
        free_wait(wait);
        reply_failure(call, &err);
        return;
    }
    if (add_entries(call, wait) < 0) {
        free_wait(wait);
        return;
    }
    call->state = wait;
    call->cancel = release;
    if (over(wait)) {
        answer(call, false);
        return;
    }
    wait->subscriber = bus_subscribe(engine_bus(call->api->engine), on_event, call);
    wait->timer = timer_new(call->api->base, on_timeout, call);
    if (timeout >= 0)
        timer_set(wait->timer, (uint64_t)timeout);
}

static const char *const fields[] = {"ids", "any", "for", "timeout_ms", "tasks", NULL};
const struct api_verb verb_wait = {
    .method = "io.batchd.Jobs.Wait", .fields = fields, .large = true, .run = run};
