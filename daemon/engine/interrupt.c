/* What is asked of jobs that run, beside their end: to stand, to go on, to take a signal. A
 * suspended job keeps its worker and its resources. Whether it stands is its state, so it is in the
 * store: a worker that has not heard of it is told when it introduces itself (reports.c). A signal
 * is not: it is sent once, with this turn, or refused. */
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

static bool is_meant(const struct active *entry, uint64_t id, const struct interrupt *order)
{
    return entry->status.id == id &&
           (order->index < 0 || (uint64_t)order->index == entry->status.index);
}

static bool may_take(const struct active *entry, const struct interrupt *order)
{
    enum job_state state = entry->status.state;
    bool ends = entry->status.cancelling || entry->deadline_passed != 0;
    return (state == JOB_STATE_RUNNING || state == JOB_STATE_SUSPENDED) &&
           (order->kind != INTERRUPT_SUSPEND || !ends);
}

static void change_state(struct engine *engine, struct active *entry, enum job_event event,
                         enum bus_kind kind)
{
    if (job_state_next(entry->status.state, event) < 0)
        return; /* it is so already */
    engine_step(engine, entry, event);
    engine_store_status(engine, entry);
    engine_tell(engine, jobset_find(engine->jobs, entry->status.id), &entry->status, kind);
    array_follow_task(engine, entry);
}

static void interrupt(struct engine *engine, struct active *entry, const struct interrupt *order)
{
    const struct attempt_id id = active_id(entry);
    const struct job_signal signal = {
        .id = id, .number = (uint32_t)order->number, .whom = (uint8_t)order->whom};
    switch (order->kind) {
    case INTERRUPT_SUSPEND:
        change_state(engine, entry, JOB_EVENT_SUSPEND, BUS_SUSPENDED);
        pool_suspend(engine->pool, entry->status.worker, &id);
        break;
    case INTERRUPT_RESUME:
        change_state(engine, entry, JOB_EVENT_RESUME, BUS_RESUMED);
        pool_resume(engine->pool, entry->status.worker, &id);
        break;
    case INTERRUPT_SIGNAL:
        pool_signal(engine->pool, entry->status.worker, &signal);
        break;
    }
}

static int refuse_state(uint64_t id, const struct interrupt *order, const struct job *job,
                        struct error *err)
{
    static const char *const what[] = {[INTERRUPT_SUSPEND] = "suspend",
                                       [INTERRUPT_RESUME] = "resume",
                                       [INTERRUPT_SIGNAL] = "signal"};
    const char *verb = what[order->kind];
    if (job == NULL)
        return error_set(err, ERROR_CONFLICT, "cannot %s job %llu: it has already ended", verb,
                         (unsigned long long)id);
    if (order->index >= 0)
        return error_set(err, ERROR_CONFLICT, "cannot %s task %llu_%lld: it does not run", verb,
                         (unsigned long long)id, (long long)order->index);
    if (job_is_array(job))
        return error_set(err, ERROR_CONFLICT, "cannot %s job %llu: none of its tasks runs", verb,
                         (unsigned long long)id);
    enum job_state state = job_state_of(job);
    bool runs = state == JOB_STATE_RUNNING || state == JOB_STATE_SUSPENDED;
    return error_set(err, ERROR_CONFLICT, "cannot %s job %llu: it is %s", verb,
                     (unsigned long long)id, runs ? "being ended" : job_state_word(state));
}

/* How many it is for. 0: none. -1: one of them cannot be told just now. */
static int count(const struct engine *engine, uint64_t id, const struct interrupt *order,
                 struct error *err)
{
    int found = 0;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (!is_meant(entry, id, order) || !may_take(entry, order))
            continue;
        if (order->kind == INTERRUPT_SIGNAL && !pool_hears(engine->pool, entry->status.worker))
            return error_set(err, ERROR_BUSY,
                             "the worker of job %llu does not answer just now; try again",
                             (unsigned long long)id);
        found++;
    }
    return found;
}

int engine_interrupt(struct engine *engine, uint64_t id, const struct interrupt *order,
                     uint64_t *ret_count, enum job_state *ret_state, struct error *err)
{
    const struct job *job = jobset_find(engine->jobs, id);
    int found = count(engine, id, order, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return refuse_state(id, order, job, err);
    *ret_count = (uint64_t)found;
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (!is_meant(entry, id, order) || !may_take(entry, order))
            continue;
        if (!order->dry_run)
            interrupt(engine, entry, order);
        *ret_state = entry->status.state;
    }
    return 0;
}
