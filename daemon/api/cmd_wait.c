/* io.batchd.Jobs.Wait {ids: [id], any, for: "terminal"|"completed"|"running", timeout_ms}
 *   -> {jobs: [job], timed_out}
 * Answers when all (any: one) of the jobs have reached it: terminal and completed by ending,
 * running by running or ending. Event-driven: nothing is polled. */
#include "daemon/api/view.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_IDS_MAX 10000U

struct wait {
    uint64_t *ids;
    bool *met;
    size_t count, open;
    bool any, running;
    struct bus_subscriber *subscriber;
    struct timer *timer;
};

static void release(struct api_call *call)
{
    struct wait *wait = call->state;
    call->state = NULL;
    call->cancel = NULL;
    bus_unsubscribe(engine_bus(call->api->engine), wait->subscriber);
    timer_free(wait->timer);
    free(wait->ids);
    free(wait->met);
    free(wait);
}

static void answer(struct api_call *call, bool timed_out)
{
    struct wait *wait = call->state;
    json_t *jobs = json_array();
    for (size_t i = 0; i < wait->count; i++) {
        struct job_row row;
        struct error err;
        if (job_rows_load(engine_db(call->api->engine), wait->ids[i], &row, &err) < 0)
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

static bool reached(const struct wait *wait, enum job_state state)
{
    return job_state_terminal(state) || (wait->running && state == JOB_STATE_RUNNING);
}

static void note_state(struct wait *wait, uint64_t job, enum job_state state)
{
    for (size_t i = 0; i < wait->count && reached(wait, state); i++) {
        if (wait->ids[i] == job && !wait->met[i]) {
            wait->met[i] = true;
            wait->open--;
        }
    }
}

static bool over(const struct wait *wait)
{
    return wait->open == 0 || (wait->any && wait->open < wait->count);
}

static void on_event(void *arg, const struct bus_event *event)
{
    struct api_call *call = arg;
    if (event->is_task) /* its array is told of by itself */
        return;
    note_state(call->state, event->job, event->state);
    if (over(call->state))
        answer(call, false);
}

static void on_timeout(void *arg)
{
    answer(arg, true);
}

static int read_ids(const struct api_call *call, struct wait *wait, struct error *err)
{
    json_t *ids = NULL;
    json_t *id;
    size_t i;
    if (json_get_array(call->params, "ids", true, &ids, err) < 0)
        return -1;
    wait->count = json_array_size(ids);
    if (wait->count == 0 || wait->count > WAIT_IDS_MAX)
        return error_set_field(err, "ids", "ids has %zu elements; it must have 1 to %u",
                               wait->count, WAIT_IDS_MAX);
    wait->ids = xcalloc(wait->count, sizeof(*wait->ids));
    wait->met = xcalloc(wait->count, sizeof(*wait->met));
    wait->open = wait->count;
    json_array_foreach(ids, i, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 1)
            return error_set_field(err, "ids", "ids[%zu] is not a job id", i);
        wait->ids[i] = (uint64_t)json_integer_value(id);
    }
    return 0;
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

/* -1: replied already, and `call` is gone. */
static int note_present(struct api_call *call, struct wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        struct job_row row;
        if (load_own_job(call, wait->ids[i], &row) < 0)
            return -1;
        note_state(wait, row.facts.id, row.status.state);
        job_row_done(&row);
    }
    return 0;
}

static void free_wait(struct wait *wait)
{
    free(wait->ids);
    free(wait->met);
    free(wait);
}

static void run(struct api_call *call)
{
    struct wait *wait = xcalloc(1, sizeof(*wait));
    struct error err;
    int64_t timeout = -1;
    if (read_ids(call, wait, &err) < 0 || read_rest(call, wait, &timeout, &err) < 0) {
        free_wait(wait);
        reply_failure(call, &err);
        return;
    }
    if (note_present(call, wait) < 0) {
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

static const char *const fields[] = {"ids", "any", "for", "timeout_ms", NULL};
const struct api_verb verb_wait = {
    .method = "io.batchd.Jobs.Wait", .fields = fields, .large = true, .run = run};
