/* io.batchd.Jobs.Suspend and Resume {id, index, dry_run} -> {id, state, tasks, dry_run}
 * io.batchd.Jobs.Signal {id, signal, main, index, dry_run} -> the same
 * io.batchd.Jobs.Checkpoint {id, index, dry_run} -> the same: the signal that the job wants for it
 */
#include "daemon/api/tasks.h"
#include "daemon/api/view.h"

/* After this a worker has been found dead, or connected to. */
#define HEARS_AGAIN_MS 1000

static void refuse(struct api_call *call, const struct job_row *row, const struct error *err)
{
    if (err->code == ERROR_BUSY)
        reply_busy(call, err, HEARS_AGAIN_MS, NULL);
    else if (err->code == ERROR_CONFLICT)
        reply_error(call, "InvalidState",
                    view_wrong_state(row->status.state, JOB_STATE_RUNNING, JOB_STATE_SUSPENDED),
                    err->text, NULL);
    else
        reply_failure(call, err);
}

/* The signal that asks for a checkpoint. A job that has not said which one may not know it, and
 * would die of it. 0, or -1 after replying. */
static int choose_signal(struct api_call *call, const struct job_row *row, struct interrupt *order)
{
    struct job_run run;
    if (order->number == 0 && view_decode_run(row, &run) == 0) {
        order->number = (int)run.checkpoint_signal;
        job_run_done(&run);
    }
    if (order->kind != INTERRUPT_SIGNAL || order->number != 0)
        return 0;
    struct error err;
    (void)error_set(
        &err, ERROR_CONFLICT,
        "cannot ask job %llu for a checkpoint: it was submitted without a signal for it",
        (unsigned long long)row->facts.id);
    reply_error(call, "InvalidState",
                view_wrong_state(row->status.state, JOB_STATE_RUNNING, JOB_STATE_SUSPENDED),
                err.text, "batchctl submit --checkpoint-signal USR1 -- COMMAND");
    return -1;
}

/* Fills order->index; the row has the task's status when one is named. */
static void change(struct api_call *call, struct interrupt *order)
{
    struct error err;
    struct job_row row;
    uint64_t count = 0;
    enum job_state state;
    if (get_dry_run(call, &order->dry_run) < 0 || load_named(call, &row) < 0)
        return;
    if (choose_signal(call, &row, order) < 0) {
        job_row_done(&row);
        return;
    }
    bool is_array = row.facts.array != NULL && !row.status.is_task;
    order->index = row.status.is_task ? (int64_t)row.status.index : -1;
    if (engine_interrupt(call->api->engine, row.facts.id, order, &count, &state, &err) < 0) {
        refuse(call, &row, &err);
    } else {
        json_t *reply = view_changed(row.facts.id, state);
        if (is_array)
            json_put_int(reply, "tasks", (int64_t)count);
        put_dry_run(reply, order->dry_run);
        reply_done(call, reply);
    }
    job_row_done(&row);
}

static void run_suspend(struct api_call *call)
{
    struct interrupt order = {.kind = INTERRUPT_SUSPEND};
    change(call, &order);
}

static void run_resume(struct api_call *call)
{
    struct interrupt order = {.kind = INTERRUPT_RESUME};
    change(call, &order);
}

static void run_signal(struct api_call *call)
{
    struct interrupt order = {.kind = INTERRUPT_SIGNAL};
    struct error err;
    bool only_main = false;
    if (take_signal(call->params, "signal", true, &order.number, &err) < 0 ||
        json_get_bool(call->params, "main", false, &only_main, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    order.whom = only_main ? SIGNAL_MAIN : SIGNAL_TREE;
    change(call, &order);
}

static void run_checkpoint(struct api_call *call)
{
    struct interrupt order = {.kind = INTERRUPT_SIGNAL, .whom = SIGNAL_MAIN};
    change(call, &order);
}

static const char *const fields[] = {"id", "index", "dry_run", NULL};
static const char *const signal_fields[] = {"id", "signal", "main", "index", "dry_run", NULL};
const struct api_verb verb_suspend = {
    .method = "io.batchd.Jobs.Suspend", .fields = fields, .run = run_suspend};
const struct api_verb verb_resume = {
    .method = "io.batchd.Jobs.Resume", .fields = fields, .run = run_resume};
const struct api_verb verb_signal = {
    .method = "io.batchd.Jobs.Signal", .fields = signal_fields, .run = run_signal};
const struct api_verb verb_checkpoint = {
    .method = "io.batchd.Jobs.Checkpoint", .fields = fields, .run = run_checkpoint};
