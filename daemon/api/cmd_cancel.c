/* io.batchd.Jobs.Cancel {id, grace_ms, reason, index | indices, dry_run}
 *   -> {id, state, cancelled, stopping, dry_run}
 * With index or indices: these tasks of an array. `state` is "cancelled" when all that was named
 * has ended, and `cancelled` and `stopping` count tasks. Where very many of them wait for another
 * attempt this goes on in the turns that follow, and the reply comes when it is done: who has none
 * asks again. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "daemon/api/slices.h"
#include "daemon/api/tasks.h"
#include "daemon/api/view.h"

#include <inttypes.h>
#include <stdlib.h>

#define GRACE_MS_MAX (INT64_C(86400) * 1000)
/* What who asks asks while as many as may be are going on should wait. */
#define RETRY_MS 1000

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
    CLEANUP_FREE char *name = row->status.is_task ? xasprintf("task %" PRIu64 "_%" PRIu64,
                                                              row->facts.id, row->status.index)
                                                  : xasprintf("job %" PRIu64, row->facts.id);
    return xasprintf("cannot cancel %s: it %s (%s, %s ago)", name,
                     row->status.state == JOB_STATE_COMPLETED ? "already completed"
                     : row->status.state == JOB_STATE_FAILED  ? "already failed"
                                                              : "was already cancelled",
                     how, ago);
}

static void refuse_ended(struct api_call *call, const struct job_row *row)
{
    json_t *extra = view_wrong_state(row->status.state, JOB_STATE_PENDING, JOB_STATE_SUSPENDED);
    json_put(extra, "ended_at", view_time(row->status.ended_at));
    json_put(extra, "outcome", view_outcome(&row->status.outcome, row->status.state));
    CLEANUP_FREE char *text = describe_end(row);
    CLEANUP_FREE char *again =
        row->status.is_task
            ? xasprintf("batchctl retry %" PRIu64 "_%" PRIu64, row->facts.id, row->status.index)
            : xasprintf("batchctl retry %" PRIu64, row->facts.id);
    reply_error(call, "InvalidState", extra, text, again);
}

/* Nothing of what was named waits or runs. */
static void refuse_ended_tasks(struct api_call *call, const struct job_row *row,
                               const struct tasks *tasks)
{
    struct error err;
    struct job_status task;
    uint64_t position = task_ranges_first(&tasks->named);
    if (task_ranges_count(&tasks->named, 0) > 1) {
        CLEANUP_FREE char *text = xasprintf(
            "cannot cancel these tasks of job %" PRIu64 ": all of them have ended", row->facts.id);
        reply_error(call, "InvalidState",
                    view_wrong_state(row->status.state, JOB_STATE_PENDING, JOB_STATE_SUSPENDED),
                    text, NULL);
    } else if (tasks_status(call->api, row, &tasks->spec, position, &task, &err) < 0) {
        reply_failure(call, &err);
    } else {
        struct job_row named = *row;
        named.status = task;
        refuse_ended(call, &named);
        job_status_done(&task);
    }
}

static void reply_tasks(struct api_call *call, uint64_t id, const struct cancelled_tasks *done,
                        bool dry_run)
{
    json_t *reply = view_changed(id, done->stopping > 0 ? JOB_STATE_RUNNING : JOB_STATE_CANCELLED);
    json_put_int(reply, "cancelled", (int64_t)done->cancelled);
    json_put_int(reply, "stopping", (int64_t)done->stopping);
    put_dry_run(reply, dry_run);
    reply_done(call, reply);
}

/* ---- very many tasks ---- */

/* What goes on in the turns that follow. */
struct cancelling {
    uint64_t id;
    struct tasks tasks; /* owned, as all pointers */
    char *reason;       /* NULL: none was given */
    struct cancel_order order;
    struct cancelled_tasks done;
    struct slice *slice;
};

static void release(struct api_call *call)
{
    struct cancelling *cancelling = call->state;
    call->cancel = NULL;
    slice_free(cancelling->slice);
    tasks_done(&cancelling->tasks);
    free(cancelling->reason);
    free(cancelling);
}

/* It may be over meanwhile. */
static void cancel_part(void *arg)
{
    struct api_call *call = arg;
    struct cancelling *cancelling = call->state;
    struct cancelled_tasks part = {0};
    struct error err;
    int result =
        engine_cancel_tasks(call->api->engine, cancelling->id, &cancelling->order, &part, &err);
    cancelling->done.cancelled += part.cancelled;
    cancelling->done.stopping += part.stopping;
    if (result == 0 && part.more)
        return;
    const uint64_t id = cancelling->id;
    const struct cancelled_tasks done = cancelling->done;
    release(call);
    if (result < 0 && err.code != ERROR_CONFLICT)
        reply_failure(call, &err);
    else
        reply_tasks(call, id, &done, false);
}

/* Takes *tasks. */
static void go_on(struct api_call *call, uint64_t id, struct tasks *tasks,
                  const struct cancel_order *order, const struct cancelled_tasks *done)
{
    struct cancelling *cancelling = xcalloc(1, sizeof(*cancelling));
    struct error err;
    *cancelling =
        (struct cancelling){.id = id,
                            .tasks = *tasks,
                            .reason = order->reason == NULL ? NULL : xstrdup(order->reason),
                            .order = *order,
                            .done = *done};
    *tasks = (struct tasks){.spec = {.ranges = NULL}};
    cancelling->order.tasks = &cancelling->tasks.named;
    cancelling->order.reason = cancelling->reason;
    cancelling->order.goes_on = true;
    cancelling->slice = slice_new(call->api->slices, call->uid, cancel_part, call, &err);
    call->state = cancelling;
    call->cancel = release;
    if (cancelling->slice != NULL)
        return;
    release(call);
    reply_busy(call, &err, RETRY_MS, NULL);
}

/* ---- what is asked ---- */

static void cancel_tasks(struct api_call *call, const struct job_row *row,
                         const struct cancel_order *wanted)
{
    struct cancel_order order = *wanted;
    struct error err;
    struct tasks tasks = {.spec = {.ranges = NULL}};
    struct cancelled_tasks done = {0};
    if (tasks_read(call->params, row, &tasks, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    order.tasks = &tasks.named;
    if (!job_state_terminal(row->status.state) &&
        engine_cancel_tasks(call->api->engine, row->facts.id, &order, &done, &err) < 0) {
        reply_failure(call, &err);
    } else if (done.cancelled + done.stopping == 0) {
        refuse_ended_tasks(call, row, &tasks);
    } else if (done.more) {
        go_on(call, row->facts.id, &tasks, &order, &done);
    } else {
        reply_tasks(call, row->facts.id, &done, order.dry_run);
    }
    tasks_done(&tasks);
}

static void cancel_job(struct api_call *call, const struct job_row *row,
                       const struct cancel_order *order)
{
    struct error err;
    enum job_state state = row->status.state;
    if (job_state_terminal(state)) {
        refuse_ended(call, row);
        return;
    }
    if (order->dry_run) {
        state = state == JOB_STATE_PENDING ? JOB_STATE_CANCELLED : state;
    } else if (engine_cancel(call->api->engine, row->facts.id, order->grace_ms, order->reason,
                             &state, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    json_t *reply = view_changed(row->facts.id, state);
    put_dry_run(reply, order->dry_run);
    reply_done(call, reply);
}

static void run(struct api_call *call)
{
    struct error err;
    struct job_row row;
    struct cancel_order order = {.grace_ms = -1};
    uint64_t id;
    if (get_job_id(call, &id) < 0 || get_dry_run(call, &order.dry_run) < 0)
        return;
    if (json_get_int(call->params, "grace_ms", false, 0, GRACE_MS_MAX, &order.grace_ms, &err) < 0 ||
        json_get_string(call->params, "reason", false, &order.reason, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (load_own_job(call, id, &row) < 0)
        return;
    if (tasks_are_named(call->params))
        cancel_tasks(call, &row, &order);
    else
        cancel_job(call, &row, &order);
    job_row_done(&row);
}

static const char *const fields[] = {"id",      "grace_ms", "reason", "index",
                                     "indices", "dry_run",  NULL};
const struct api_verb verb_cancel = {
    .method = "io.batchd.Jobs.Cancel", .fields = fields, .run = run};
