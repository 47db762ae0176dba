#include "daemon/engine/outlook.h"

#include "common/alloc.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"

#include <stdlib.h>

void engine_running_each(const struct engine *engine, engine_running_fn each, void *arg)
{
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        each(arg, jobset_find(engine->jobs, entry->status.id), &entry->status,
             entry->run != 0 ? &entry->asked : NULL);
}

bool engine_task_suspended(const struct engine *engine, uint64_t id, uint64_t index)
{
    const struct active *entry = engine->active;
    while (entry != NULL && (entry->status.id != id || entry->status.index != index))
        entry = entry->next;
    return entry != NULL && entry->status.state == JOB_STATE_SUSPENDED;
}

/* ---- the turn of a task ---- */

/* One that backs off comes behind all that may start. */
static bool turn_again(const struct array *array, uint64_t index, uint64_t *ret)
{
    const struct task_waits *waits = &array->again;
    bool found = false;
    *ret = 0;
    for (size_t i = 0; i < waits->ready.count; i++) {
        *ret += waits->ready.waits[i].index < index;
        found |= waits->ready.waits[i].index == index;
    }
    for (size_t i = 0; i < waits->later.count && !found; i++) {
        if (waits->later.waits[i].index == index) {
            *ret = array_waiting(array) - waits->later.count;
            return true;
        }
    }
    return found;
}

/* Those that wait for another attempt go first, then those that never started, as array_take does.
 */
static bool turn_in(const struct array *array, uint64_t index, uint64_t *ret)
{
    uint64_t position;
    struct task_ranges before = {.ranges = NULL};
    struct task_ranges open = {.ranges = NULL};
    if (turn_again(array, index, ret))
        return true;
    uint64_t next = array->status.tasks.next;
    if (!array_spec_position(&array->spec, index, &position) || position < next ||
        task_ranges_has(&array->taken, position))
        return false;
    *ret = array->again.ready.count;
    if (position == next)
        return true;
    task_ranges_add(&before, next, position - 1);
    task_ranges_minus(&before, next, &array->taken, &open);
    *ret += task_ranges_count(&open, next);
    task_ranges_done(&before);
    task_ranges_done(&open);
    return true;
}

bool engine_task_turn(struct engine *engine, const struct job_row *array, uint64_t index,
                      uint64_t *ret)
{
    struct job_row whole;
    struct error err;
    struct array *live = arrays_live(engine, array->facts.id);
    if (live != NULL)
        return turn_in(live, index, ret);
    /* A row that was read with a task's status in the place of its array's does not say. */
    if (job_rows_load(engine->db, array->facts.id, &whole, &err) < 0)
        return false;
    live = arrays_open(engine, &whole, &err); /* forgotten at the end of the turn */
    job_row_done(&whole);
    return live != NULL && turn_in(live, index, ret);
}

const struct task_count *engine_task_count(const struct engine *engine, uint64_t id)
{
    return task_counts_find(&engine->tasks, id);
}

/* ---- in a copy of the process ---- */

/* Of the tasks that wait for those of another array, as many may start as of that have ended and
 * this one has not begun; which ones is not looked at. Of what stands in its queue one may. */
static void count_kept(void *arg, struct task_count *count)
{
    const struct engine *engine = arg;
    const struct array_link *link = array_links_find(&engine->links, count->id);
    const struct job *job = jobset_find(engine->jobs, count->id);
    if (link == NULL || job == NULL)
        return;
    uint64_t ended = task_ranges_count(&link->awaited->completed, 0) +
                     task_ranges_count(&link->awaited->otherwise, 0);
    uint64_t begun = count->total - count->waiting;
    uint64_t free = ended > begun ? ended - begun : 0;
    free = free == 0 && job->queued ? 1 : free;
    count->kept = count->waiting > free ? count->waiting - free : 0;
}

static uint64_t count_running(const struct engine *engine)
{
    uint64_t running = 0;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        running += entry->run != 0;
    return running;
}

void engine_start_state(struct engine *engine, int64_t now, struct start_state *ret)
{
    task_counts_each(&engine->tasks, count_kept, engine);
    engine_show_backoffs(engine);
    engine_forget_all_room(engine);
    *ret = (struct start_state){.scheduler = engine->scheduler,
                                .jobs = engine->jobs,
                                .begins = &engine->begins,
                                .waits = engine->waits,
                                .arrays = &engine->tasks,
                                .running = count_running(engine),
                                .workers = engine->options.workers_max,
                                .now = now};
}

static struct forecast_run run_of(const struct engine *engine, const struct active *entry,
                                  int64_t now)
{
    const struct job_status *status = &entry->status;
    return (struct forecast_run){.job = jobset_find(engine->jobs, status->id),
                                 .is_task = status->is_task,
                                 .index = status->is_task ? (int64_t)status->index : -1,
                                 .started_at = status->started_at > 0 ? status->started_at : now};
}

static int64_t predicted(const struct active *entry)
{
    return entry->status.predicted_us > 0 ? entry->status.predicted_us : ESTIMATE_UNKNOWN;
}

/* The run in whose worker this one waits, 0: none. */
static uint64_t run_before(const struct engine *engine, const struct active *entry)
{
    for (const struct active *other = engine->active; other != NULL; other = other->next) {
        if (other->status.worker == entry->status.worker && other->run != 0)
            return other->run;
    }
    return 0;
}

/* Oldest first: new entries are put in front of the list. */
static void add_running(const struct engine *engine, int64_t now, bool holds,
                        struct forecast *forecast)
{
    size_t count = 0;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        count++;
    const struct active **entries = xreallocarray(NULL, count + 1, sizeof(struct active *));
    size_t at = count;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next)
        entries[--at] = entry;
    for (size_t i = 0; i < count; i++) {
        struct forecast_run run = run_of(engine, entries[i], now);
        if ((entries[i]->run != 0) != holds)
            continue;
        if (holds)
            forecast_add_run(forecast, &run, entries[i]->run, predicted(entries[i]));
        else
            forecast_add_behind(forecast, &run, run_before(engine, entries[i]),
                                predicted(entries[i]));
    }
    free(entries);
}

struct forecast *engine_forecast(struct engine *engine, int64_t now,
                                 const struct forecast_events *events, void *arg)
{
    const struct forecast_options options = {.scheduler = engine->scheduler,
                                             .jobs = engine->jobs,
                                             .begins = &engine->begins,
                                             .waits = engine->waits,
                                             .arrays = &engine->tasks,
                                             .deadlines = &engine->deadlines,
                                             .workers = engine->options.workers_max,
                                             .now = now};
    task_counts_each(&engine->tasks, count_kept, engine);
    engine_show_backoffs(engine);
    engine_forget_all_room(engine);
    engine_breakers_as_begins(engine);
    struct forecast *forecast = forecast_new(&options, events, arg);
    add_running(engine, now, true, forecast);
    add_running(engine, now, false, forecast);
    return forecast;
}
