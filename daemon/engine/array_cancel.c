/* The end of an array, or of some of its tasks, that somebody asks for. What has never started
 * costs a range whatever its size; a task that waits for another attempt has a row, which says so;
 * one that a worker has is stopped there. */
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/cancelled_rows.h"
#include "daemon/store/task_rows.h"

#include <stdio.h>

/* Bounds what an array with tasks at a worker reads and keeps: 16 bytes each. Far below it those
 * that adjoin begin to share a row. */
#define CANCELLED_ROWS_MAX 10000U
#define CANCELLED_ROWS_APART 1000U
/* Reading a task's row alone and writing it costs as much as reading so many in order. */
#define ROWS_TO_CANCEL 25
#define CANCELLED_A_TURN 500U /* each some 10 us */

static void cancel_row(struct engine *engine, const struct array *array, uint64_t index,
                       const char *reason)
{
    struct job_status task;
    struct error err;
    if (task_rows_load(engine->db, array->status.id, index, &task, &err) < 0) {
        engine_break(engine, &err);
        return;
    }
    task.state = (enum job_state)job_state_next(task.state, JOB_EVENT_CANCEL);
    task.ended_at = clock_wall_us();
    task.outcome = (struct outcome){.class = OUTCOME_CANCELLED, .exit_code = -1};
    (void)snprintf(task.outcome.message, sizeof(task.outcome.message), "%s", reason);
    if (task_rows_put(engine->db, &task, &err) < 0)
        engine_break(engine, &err);
    job_status_done(&task);
    engine->rows_done += ROWS_TO_CANCEL;
}

static bool is_in(const struct array *array, const struct task_ranges *tasks, uint64_t index,
                  uint64_t *ret_position)
{
    return array_spec_position(&array->spec, index, ret_position) &&
           (tasks == NULL || task_ranges_has(tasks, *ret_position));
}

/* Of the tasks that wait for another attempt. */
struct choice {
    struct engine *engine;
    const struct array *array;
    const struct task_ranges *tasks;
    const char *reason;
    struct task_ranges *gone;
    uint64_t count;
};

static bool keep_again(void *arg, const struct task_wait *wait)
{
    struct choice *choice = arg;
    uint64_t position;
    if (choice->engine->broken || !is_in(choice->array, choice->tasks, wait->index, &position))
        return true;
    cancel_row(choice->engine, choice->array, wait->index, choice->reason);
    task_ranges_add(choice->gone, position, position);
    choice->count++;
    return false;
}

static bool count_again(void *arg, const struct task_wait *wait)
{
    struct choice *choice = arg;
    uint64_t position;
    choice->count += is_in(choice->array, choice->tasks, wait->index, &position);
    return true;
}

/* Some of `tasks` that wait for another attempt; they join *gone. True: there may be more. */
static bool cancel_again(struct engine *engine, struct array *array,
                         const struct task_ranges *tasks, const char *reason,
                         struct task_ranges *gone)
{
    struct choice choice = {
        .engine = engine, .array = array, .tasks = tasks, .reason = reason, .gone = gone};
    bool more = task_waits_filter(&array->again, CANCELLED_A_TURN, keep_again, &choice);
    array->status.tasks.cancelled += choice.count;
    return more;
}

/* `goes_on`: those that are being stopped already are left out. How many. */
static uint64_t stop_active(struct engine *engine, const struct array *array,
                            const struct task_ranges *tasks, uint64_t grace_ms, bool goes_on)
{
    uint64_t stopping = 0;
    uint64_t position;
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (entry->status.id != array->status.id || job_state_terminal(entry->status.state) ||
            (goes_on && entry->status.cancelling) ||
            !is_in(array, tasks, entry->status.index, &position))
            continue;
        entry->status.cancelling = true;
        engine_store_status(engine, entry);
        engine_stop_active(engine, entry, grace_ms);
        stopping++;
    }
    return stopping;
}

/* How many. */
static unsigned cancel_some(struct engine *engine, struct array *array, struct task_ranges *gone)
{
    unsigned count = 0;
    uint64_t index, position;
    while (count < CANCELLED_A_TURN && !engine->broken && task_waits_drop(&array->again, &index)) {
        cancel_row(engine, array, index, array->reason);
        if (array_spec_position(&array->spec, index, &position))
            task_ranges_add(gone, position, position);
        array->status.tasks.cancelled++;
        count++;
    }
    return count;
}

void arrays_cancel_more(struct engine *engine)
{
    struct array *next;
    unsigned count = 0;
    if (!engine->cancels_left)
        return;
    engine->cancels_left = false;
    for (struct array *array = engine->arrays; array != NULL && !engine->broken; array = next) {
        struct task_ranges gone = {.ranges = NULL};
        next = array->next;
        if (!array_cancels(array))
            continue;
        if (count < CANCELLED_A_TURN)
            count += cancel_some(engine, array, &gone);
        engine->cancels_left |= array_cancels(array);
        engine_note_cancelled(engine, array, &gone);
        task_ranges_done(&gone);
        array->changed = true;
        array_requeue(engine, array);
        (void)array_end_if_over(engine, array);
    }
}

void array_cancel(struct engine *engine, struct array *array, uint64_t grace_ms, const char *reason)
{
    struct array_progress *tasks = &array->status.tasks;
    struct task_ranges rest = {.ranges = NULL};
    struct task_ranges gone = {.ranges = NULL};
    task_ranges_add(&rest, 0, array->spec.total - 1);
    task_ranges_minus(&rest, tasks->next, &array->taken, &gone);
    task_ranges_done(&rest);
    if (reason != NULL) /* else that of an earlier cancel stays */
        (void)snprintf(array->reason, sizeof(array->reason), "%s", reason);
    tasks->cancelled += array->spec.total - tasks->next - array->taken_ahead;
    tasks->next = array->spec.total;
    array->taken_ahead = 0;
    array->status.cancelling = true;
    /* A start of the daemon meanwhile finds it there; the end writes the whole outcome. */
    (void)snprintf(array->status.outcome.message, sizeof(array->status.outcome.message), "%s",
                   array->reason);
    (void)cancel_some(engine, array, &gone);
    engine->cancels_left |= array_cancels(array);
    engine_note_cancelled(engine, array, &gone);
    task_ranges_done(&gone);
    array_store(engine, array);
    (void)stop_active(engine, array, NULL, grace_ms, false);
    array_requeue(engine, array);
    (void)array_end_if_over(engine, array);
}

void array_cancel_rest(struct engine *engine, struct array *array)
{
    char limit[24];
    char reason[CANCEL_REASON_BYTES];
    fails_limit_format(&array->options.max_fails, limit, sizeof(limit));
    (void)snprintf(reason, sizeof(reason), "more failed than max_fails, %s, allows", limit);
    if (array->active > 0)
        engine_tell(engine, jobset_find(engine->jobs, array->status.id), &array->status,
                    BUS_CANCELLING);
    array_cancel(engine, array, engine->options.stop_grace_ms, reason);
}

/* ---- some of its tasks ---- */

static void cancel_range(struct engine *engine, struct array *array,
                         const struct cancelled_row *row)
{
    uint64_t count = row->last - row->first + 1;
    struct error err;
    int more = 0;
    if (cancelled_rows_add(engine->db, row, array->cancelled_rows >= CANCELLED_ROWS_APART, &more,
                           &err) < 0) {
        engine_break(engine, &err);
        return;
    }
    task_ranges_add(&array->taken, row->first, row->last);
    array->taken_ahead += count;
    array->status.tasks.cancelled += count;
    array->cancelled_rows = (size_t)((int64_t)array->cancelled_rows + more);
}

static struct cancelled_row row_of(const struct array *array, const struct task_range *range,
                                   const char *reason)
{
    return (struct cancelled_row){.job = array->status.id,
                                  .first = range->first,
                                  .last = range->last,
                                  .ended_at = clock_wall_us(),
                                  .message = reason};
}

/* 1: they would be too many rows, also when those that adjoin become one; 0: not; -1: error. */
static int too_many(struct engine *engine, const struct array *array,
                    const struct task_ranges *fresh, const char *reason, struct error *err)
{
    int64_t rows = (int64_t)array->cancelled_rows + (int64_t)fresh->count;
    for (size_t i = 0; i < fresh->count && rows > (int64_t)CANCELLED_ROWS_MAX; i++) {
        const struct cancelled_row row = row_of(array, &fresh->ranges[i], reason);
        unsigned adjoining;
        if (cancelled_rows_adjoining(engine->db, &row, &adjoining, err) < 0)
            return -1;
        rows -= adjoining;
    }
    return rows > (int64_t)CANCELLED_ROWS_MAX;
}

static int refuse_parts(struct engine *engine, const struct array *array,
                        const struct task_ranges *fresh, const char *reason, struct error *err)
{
    int many = too_many(engine, array, fresh, reason, err);
    if (many > 0)
        return error_set_limit(
            err, array->cancelled_rows, CANCELLED_ROWS_MAX,
            "array %llu has been cancelled in too many parts; the limit is %u ranges",
            (unsigned long long)array->status.id, CANCELLED_ROWS_MAX);
    return many;
}

/* What follows from tasks that were cancelled where they waited. False: it has ended. */
static bool after_cancel(struct engine *engine, struct array *array,
                         const struct task_ranges *cancelled)
{
    engine_note_cancelled(engine, array, cancelled);
    if (cancelled->count > 0) {
        array_store(engine, array);
        engine_tell(engine, jobset_find(engine->jobs, array->status.id), &array->status,
                    BUS_TASKS_CANCELLED);
    }
    array_requeue(engine, array);
    return !array_end_if_over(engine, array);
}

bool array_cancel_unreachable(struct engine *engine, struct array *array,
                              const struct cancelled_row *rows, size_t count)
{
    struct task_ranges cancelled = {.ranges = NULL};
    for (size_t i = 0; i < count && !engine->broken; i++) {
        cancel_range(engine, array, &rows[i]);
        task_ranges_add(&cancelled, rows[i].first, rows[i].last);
    }
    if (count > 0 && array_waiting(array) == 0 && array->reason[0] == '\0')
        (void)snprintf(array->reason, sizeof(array->reason), "%s", rows[count - 1].message);
    bool lives = after_cancel(engine, array, &cancelled);
    task_ranges_done(&cancelled);
    return lives;
}

/* What array_cancel_tasks would do, beside those that never started. */
static void count_tasks(const struct engine *engine, struct array *array,
                        const struct task_ranges *tasks, struct cancelled_tasks *ret)
{
    uint64_t position;
    struct choice choice = {.array = array, .tasks = tasks};
    (void)task_waits_filter(&array->again, SIZE_MAX, count_again, &choice);
    ret->cancelled += choice.count;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        ret->stopping += entry->status.id == array->status.id &&
                         !job_state_terminal(entry->status.state) &&
                         is_in(array, tasks, entry->status.index, &position);
}

int array_cancel_tasks(struct engine *engine, struct array *array, const struct cancel_order *order,
                       struct cancelled_tasks *ret, struct error *err)
{
    struct task_ranges fresh = {.ranges = NULL};
    char text[CANCEL_REASON_BYTES];
    uint64_t before = array->status.tasks.cancelled;
    uint64_t grace =
        order->grace_ms < 0 ? engine->options.stop_grace_ms : (uint64_t)order->grace_ms;
    (void)snprintf(text, sizeof(text), "%s", order->reason == NULL ? "" : order->reason);
    task_ranges_minus(order->tasks, array->status.tasks.next, &array->taken, &fresh);
    int refused = refuse_parts(engine, array, &fresh, text, err);
    if (refused < 0 || order->dry_run) {
        ret->cancelled = task_ranges_count(&fresh, 0);
        count_tasks(engine, array, order->tasks, ret);
        task_ranges_done(&fresh);
        return refused;
    }
    for (size_t i = 0; i < fresh.count && !engine->broken; i++) {
        const struct cancelled_row row = row_of(array, &fresh.ranges[i], text);
        cancel_range(engine, array, &row);
    }
    ret->more = cancel_again(engine, array, order->tasks, text, &fresh);
    ret->cancelled = array->status.tasks.cancelled - before;
    ret->stopping = stop_active(engine, array, order->tasks, grace, order->goes_on);
    (void)after_cancel(engine, array, &fresh);
    task_ranges_done(&fresh);
    return 0;
}
