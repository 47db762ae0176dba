/* Of the tasks of an array that have no worker: which may start, which is next and what it asks
 * for. The array has one entry in its queue, which says so. */
#include "common/clock.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/internal.h"

/* Tasks of an array that may start again are looked for so many at a time: one is enough to start,
 * and each start looks again. */
#define DUE_AT_ONCE 1000U

void array_add_wait(struct array *array, const struct job_status *task, int64_t until)
{
    const struct task_wait wait = {.at = until,
                                   .index = (uint32_t)task->index,
                                   .memory_mib =
                                       (uint32_t)(job_whole_mib(task->memory_bytes) / JOB_MIB)};
    task_waits_add(&array->again, wait);
}

uint64_t array_waiting(const struct array *array)
{
    return task_waits_count(&array->again) + array->spec.total - array->status.tasks.next -
           array->taken_ahead;
}

/* The array that it waits for task by task, or NULL. */
static const struct linked_array *awaited_by(const struct engine *engine, const struct array *array)
{
    const struct array_link *link = array_links_find(&engine->links, array->status.id);
    return link == NULL ? NULL : link->awaited;
}

/* How many of its tasks may start but for the limit, `most` or more counted as that, by what
 * array_requeue last saw of those that wait for another attempt. */
static uint64_t allowed(const struct engine *engine, const struct array *array, uint64_t most)
{
    const struct linked_array *awaited = awaited_by(engine, array);
    struct task_range range;
    uint64_t from = array->status.tasks.next;
    if (array_cancels(array))
        return 0;
    uint64_t count = array->again.ready.count;
    if (awaited == NULL)
        return array_waiting(array) - array->again.later.count;
    while (count < most && task_ranges_next(&awaited->completed, &array->taken, from, &range)) {
        count += range.last - range.first + 1;
        from = range.last + 1;
    }
    return count;
}

bool array_can_take(const struct engine *engine, struct array *array)
{
    task_waits_due(&array->again, clock_monotonic_us(), DUE_AT_ONCE);
    return allowed(engine, array, 1) > 0;
}

/* The same with the limit. */
static uint64_t startable(const struct engine *engine, const struct array *array, uint64_t most)
{
    uint64_t count = allowed(engine, array, most);
    if (array->spec.limit == 0)
        return count;
    uint64_t room = array->spec.limit > array->active ? array->spec.limit - array->active : 0;
    return count < room ? count : room;
}

uint64_t arrays_more_startable(const struct engine *engine)
{
    uint64_t count = 0;
    for (const struct array *array = engine->arrays; array != NULL; array = array->next) {
        const struct job *job = jobset_find(engine->jobs, array->status.id);
        uint64_t mine = 0;
        if (job->queued && !queue_paused(scheduler_queue_at(engine->scheduler, job->queue)))
            mine = startable(engine, array, engine->options.workers_max + UINT64_C(1));
        count += mine > 0 ? mine - 1 : 0;
    }
    return count;
}

/* While nothing of it can start, the first of those that back off will call. Its begin time, if
 * that is to come, goes before: see engine_begin_due. */
static void watch_backoffs(struct engine *engine, const struct array *array, struct job *job)
{
    if (engine_backs_off(engine, job)) {
        engine_clear_later(engine, job);
        jobset_unblock(engine->jobs, job, JOB_LATER, clock_wall_us());
    }
    if (array->again.later.count > 0 && startable(engine, array, 1) == 0 &&
        !job_blocked_by(job, JOB_LATER) && !array_cancels(array))
        engine_watch_backoff(engine, job, task_waits_next(&array->again));
}

/* What the next task to be taken asks for; no more than there is, see start.c. */
static uint64_t next_memory(const struct engine *engine, const struct array *array)
{
    const struct task_wait *next = task_waits_first(&array->again);
    const uint64_t total = scheduler_total(engine->scheduler)->amount[RESOURCE_MEMORY];
    uint64_t own = next == NULL ? 0 : next->memory_mib * JOB_MIB;
    own = own > total ? total : own;
    return own > array->memory_bytes ? own : array->memory_bytes;
}

bool array_asks_anew(struct engine *engine, const struct array *array)
{
    struct job *job = jobset_find(engine->jobs, array->status.id);
    const struct job as = *job;
    struct resources wanted = *scheduler_wanted(engine->scheduler, job);
    const uint64_t memory = next_memory(engine, array);
    if (wanted.amount[RESOURCE_MEMORY] == memory)
        return false;
    wanted.amount[RESOURCE_MEMORY] = memory;
    jobset_change(engine->jobs, job, &as, &wanted, clock_wall_us());
    return true;
}

void array_requeue(struct engine *engine, struct array *array)
{
    struct job *job = jobset_find(engine->jobs, array->status.id);
    const struct task_count count = {.id = array->status.id,
                                     .total = array->spec.total,
                                     .waiting = array_waiting(array),
                                     .running = array->active,
                                     .limit = array->spec.limit};
    task_counts_put(&engine->tasks, &count);
    task_waits_due(&array->again, clock_monotonic_us(), DUE_AT_ONCE);
    watch_backoffs(engine, array, job);
    (void)array_asks_anew(engine, array);
    jobset_queue(engine->jobs, job, startable(engine, array, 1) > 0, clock_wall_us());
}

/* The first task that never started, was not cancelled and may start. */
static uint64_t take_new(const struct engine *engine, struct array *array)
{
    const struct linked_array *awaited = awaited_by(engine, array);
    uint64_t *next = &array->status.tasks.next;
    struct task_range range = {.first = task_ranges_skip(&array->taken, *next)};
    if (awaited != NULL)
        (void)task_ranges_next(&awaited->completed, &array->taken, *next, &range);
    task_ranges_add(&array->taken, range.first, range.first);
    uint64_t behind = task_ranges_skip(&array->taken, *next);
    array->taken_ahead = array->taken_ahead + 1 - (behind - *next);
    *next = behind;
    return array_spec_index(&array->spec, range.first);
}

uint64_t array_take_next(const struct engine *engine, struct array *array, bool *ret_again)
{
    *ret_again = array->again.ready.count > 0;
    return *ret_again ? task_waits_take(&array->again) : take_new(engine, array);
}

/* ---- arrays that are not live ---- */

/* The limit held when it was submitted: it may have been lowered since. What cannot be read is told
 * when a task is to start. */
void engine_count_tasks(struct engine *engine, uint64_t id, const char *spec, uint64_t ended)
{
    struct array_spec array = {.ranges = NULL};
    if (array_spec_parse(spec, UINT64_MAX, &array, NULL) < 0 || array.total < ended)
        return;
    const struct task_count count = {
        .id = id, .total = array.total, .waiting = array.total - ended, .limit = array.limit};
    task_counts_put(&engine->tasks, &count);
    array_spec_done(&array);
}
