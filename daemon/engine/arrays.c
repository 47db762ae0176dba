#include "daemon/engine/arrays.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/internal.h"
#include "daemon/store/cancelled_rows.h"
#include "daemon/store/task_rows.h"

#include <stdio.h>
#include <stdlib.h>

static void array_free(struct array *array)
{
    array_spec_done(&array->spec);
    task_ranges_done(&array->taken);
    job_status_done(&array->status);
    free(array->type);
    task_waits_done(&array->again);
    free(array);
}

void arrays_free(struct engine *engine)
{
    while (engine->arrays != NULL) {
        struct array *array = engine->arrays;
        engine->arrays = array->next;
        array_free(array);
    }
}

struct array *arrays_live(const struct engine *engine, uint64_t job)
{
    struct array *array = engine->arrays;
    while (array != NULL && array->status.id != job)
        array = array->next;
    return array;
}

static int add_again(void *arg, const struct job_status *task)
{
    struct array *array = arg;
    bool lifted = engine_backoff_lifted(task, array->lifted_at);
    array_add_wait(array, task, lifted ? 0 : engine_backoff_until(task));
    array->rows_read++;
    return 0;
}

static void add_cancelled(void *arg, const struct cancelled_row *row)
{
    struct array *array = arg;
    task_ranges_add(&array->taken, row->first, row->last);
    array->cancelled_rows++;
    array->rows_read++;
}

static void add_started(void *arg, uint64_t index)
{
    struct array *array = arg;
    uint64_t position;
    array->rows_read++;
    if (array_spec_position(&array->spec, index, &position))
        task_ranges_add(&array->taken, position, position);
}

/* From where its link keeps them, or from the store. */
static int load_taken(struct engine *engine, struct array *array, struct error *err)
{
    const uint64_t id = array->status.id;
    uint64_t next = array->status.tasks.next;
    struct array_link *link = array_links_find(&engine->links, id);
    if (link != NULL && link->kept) {
        array->taken = link->taken;
        array->cancelled_rows = link->cancelled_rows;
        link->taken = (struct task_ranges){.ranges = NULL};
        link->kept = false;
    } else if (cancelled_rows_each(engine->db, id, add_cancelled, array, err) < 0 ||
               (next < array->spec.total &&
                task_rows_each_from(engine->db, id, array_spec_index(&array->spec, next),
                                    add_started, array, err) < 0)) {
        return -1;
    }
    array->taken_ahead = task_ranges_count(&array->taken, next);
    return 0;
}

static int load(struct engine *engine, struct array *array, const struct job_row *row,
                struct error *err)
{
    /* The limit held when it was submitted: it may have been lowered since. */
    if (row->facts.array == NULL ||
        array_spec_parse(row->facts.array, UINT64_MAX, &array->spec, err) < 0)
        return error_set(err, ERROR_DAMAGED, "job %llu has no array that can be read",
                         (unsigned long long)row->facts.id);
    array->status = row->status;
    array->status.result = NULL; /* set only at the end */
    array->cancels_counted = array->status.tasks.cancelled;
    array->type = row->facts.type == NULL ? NULL : xstrdup(row->facts.type);
    array->memory_bytes = job_whole_mib(row->facts.memory_bytes);
    if (array->status.cancelling)
        (void)snprintf(array->reason, sizeof(array->reason), "%.*s", (int)sizeof(array->reason) - 1,
                       row->status.outcome.message);
    if (array_rows_load(engine->db, row->facts.id, &array->options, err) < 0)
        return -1;
    struct condition condition;
    if (load_taken(engine, array, err) < 0 ||
        condition_rows_load(engine->db, row->facts.id, &condition, err) < 0)
        return -1;
    array->lifted_at = condition.released_at;
    return task_rows_each_waiting(engine->db, row->facts.id, add_again, array, err);
}

struct array *arrays_open(struct engine *engine, const struct job_row *row, struct error *err)
{
    struct array *array = arrays_live(engine, row->facts.id);
    if (array != NULL)
        return array;
    array = xcalloc(1, sizeof(*array));
    if (load(engine, array, row, err) < 0) {
        array_free(array);
        return NULL;
    }
    engine->rows_done += array->rows_read;
    engine->cancels_left |= array_cancels(array);
    array->next = engine->arrays;
    engine->arrays = array;
    return array;
}

struct array *arrays_need(struct engine *engine, uint64_t job)
{
    struct job_row row;
    struct error err;
    struct array *array = arrays_live(engine, job);
    if (array != NULL)
        return array;
    if (job_rows_load(engine->db, job, &row, &err) == 0) {
        array = arrays_open(engine, &row, &err);
        job_row_done(&row);
    }
    if (array == NULL)
        engine_break(engine, &err);
    return array;
}

void array_store(struct engine *engine, struct array *array)
{
    struct error err;
    if (!engine->broken && job_rows_update(engine->db, &array->status, &err) < 0)
        engine_break(engine, &err);
    const uint64_t cancelled = array->status.tasks.cancelled;
    engine_count_cancels(engine, jobset_find(engine->jobs, array->status.id), array->type,
                         cancelled - array->cancels_counted, clock_wall_us());
    array->cancels_counted = cancelled;
    array->changed = false;
}

static void move(struct engine *engine, struct array *array, enum job_event event,
                 enum bus_kind told)
{
    struct job *job = jobset_find(engine->jobs, array->status.id);
    engine_move(engine, job, event);
    array->status.state = job_state_of(job);
    array_store(engine, array);
    engine_tell(engine, job, &array->status, told);
}

/* ---- tasks come and go ---- */

uint64_t array_take(struct engine *engine, struct array *array, bool *ret_again)
{
    uint64_t index = array_take_next(engine, array, ret_again);
    array->active++;
    array->changed = true;
    if (array->status.state == JOB_STATE_PENDING)
        move(engine, array, JOB_EVENT_ASSIGN, BUS_STARTING);
    array_requeue(engine, array);
    return index;
}

void array_put_back(struct engine *engine, struct array *array, const struct job_status *task)
{
    array_add_wait(array, task, engine_backoff_until(task));
    array->active--;
    /* Nothing of it runs and none of its tasks has ended but by a cancel: it waits as a whole. */
    if (array->status.state != JOB_STATE_PENDING && array->active == 0 &&
        array->status.tasks.completed + array->status.tasks.failed == 0) {
        array->status.started_at = 0;
        move(engine, array, JOB_EVENT_RETURN, BUS_REQUEUED);
    }
    array_follow(engine, array);
    array_requeue(engine, array);
}

void array_lift(struct engine *engine, struct array *array, int64_t now)
{
    array->lifted_at = now;
    task_waits_lift(&array->again);
    array_requeue(engine, array);
}

void array_task_runs(struct engine *engine, struct array *array, int64_t started_at)
{
    if (array->status.state != JOB_STATE_STARTING)
        return;
    array->status.started_at = started_at;
    move(engine, array, JOB_EVENT_GO, BUS_STARTED);
}

/* One that waits ahead in a worker does nothing meanwhile. */
static bool all_stand(const struct engine *engine, const struct array *array)
{
    bool found = false;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (entry->status.id != array->status.id || entry->run == 0)
            continue;
        if (entry->status.state != JOB_STATE_SUSPENDED)
            return false;
        found = true;
    }
    return found;
}

void array_follow(struct engine *engine, struct array *array)
{
    enum job_state state = array->status.state;
    bool stand = all_stand(engine, array);
    if (stand && state == JOB_STATE_RUNNING)
        move(engine, array, JOB_EVENT_SUSPEND, BUS_SUSPENDED);
    else if (!stand && state == JOB_STATE_SUSPENDED)
        move(engine, array, JOB_EVENT_RESUME, BUS_RESUMED);
}

void array_follow_task(struct engine *engine, const struct active *entry)
{
    if (entry->status.is_task)
        array_follow(engine, arrays_live(engine, entry->status.id));
}

/* ---- the end ---- */

static void add_usage(struct usage *sum, const struct usage *task)
{
    sum->user_us += task->user_us;
    sum->system_us += task->system_us;
    sum->run_us += task->run_us;
    if (task->max_rss_bytes > sum->max_rss_bytes) {
        sum->max_rss_bytes = task->max_rss_bytes;
        sum->memory_source = task->memory_source;
    }
    sum->stdout_bytes += task->stdout_bytes;
    sum->stderr_bytes += task->stderr_bytes;
    sum->cut_bytes += task->cut_bytes;
    sum->lost_bytes += task->lost_bytes;
}

/* The first failed task's end. */
static void copy_failure(struct engine *engine, struct array *array)
{
    struct job_status failed;
    struct error err;
    int found = task_rows_first_failed(engine->db, array->status.id, &failed, &err);
    if (found == 0)
        (void)error_set(&err, ERROR_INTERNAL, "array %llu counts a failed task that has no row",
                        (unsigned long long)array->status.id);
    if (found <= 0) {
        engine_break(engine, &err);
        return;
    }
    array->status.outcome = failed.outcome;
    job_status_done(&failed);
}

bool array_fails_passed(const struct array *array)
{
    return fails_limit_passed(&array->options.max_fails, array->status.tasks.failed,
                              array->spec.total);
}

/* As its first failed task ended when too many failed; cancelled when a task was; else as its first
 * failed task; else well. */
static void set_outcome(struct engine *engine, struct array *array)
{
    const struct array_progress *tasks = &array->status.tasks;
    struct outcome *outcome = &array->status.outcome;
    *outcome = (struct outcome){.class = OUTCOME_SUCCESS};
    if (tasks->cancelled > 0 && !array_fails_passed(array))
        *outcome = (struct outcome){.class = OUTCOME_CANCELLED, .exit_code = -1};
    else if (tasks->failed > 0)
        copy_failure(engine, array);
    if (tasks->failed + tasks->cancelled > 0)
        (void)snprintf(outcome->message, sizeof(outcome->message),
                       "%s%s%llu of %llu tasks failed, %llu were cancelled", array->reason,
                       array->reason[0] == '\0' ? "" : ": ", (unsigned long long)tasks->failed,
                       (unsigned long long)array->spec.total, (unsigned long long)tasks->cancelled);
}

static void end_array(struct engine *engine, struct array *array)
{
    struct array **link = &engine->arrays;
    struct job *job = jobset_find(engine->jobs, array->status.id);
    set_outcome(engine, array);
    enum outcome_class class = array->status.outcome.class;
    array->status.ended_at = clock_wall_us();
    move(engine, array,
         class == OUTCOME_SUCCESS     ? JOB_EVENT_SUCCEED
         : class == OUTCOME_CANCELLED ? JOB_EVENT_CANCEL
                                      : JOB_EVENT_FAIL,
         BUS_ENDED);
    engine_remove(engine, job);
    while (*link != array)
        link = &(*link)->next;
    *link = array->next;
    array_free(array);
}

bool array_end_if_over(struct engine *engine, struct array *array)
{
    if (array->active > 0 || array_waiting(array) > 0)
        return false;
    end_array(engine, array);
    return true;
}

void array_task_ended(struct engine *engine, struct array *array, const struct job_status *task)
{
    struct array_progress *tasks = &array->status.tasks;
    tasks->completed += task->state == JOB_STATE_COMPLETED;
    tasks->failed += task->state == JOB_STATE_FAILED;
    tasks->cancelled += task->state == JOB_STATE_CANCELLED;
    if (task->started_at > 0)
        array_task_runs(engine, array, task->started_at);
    add_usage(&array->status.usage, &task->usage);
    array->active--;
    array->changed = true;
    if (array->active > 0 || array_waiting(array) > 0) /* else it ends as it is */
        array_follow(engine, array);
    array_requeue(engine, array);
    if (array_fails_passed(array) && !array->status.cancelling)
        array_cancel_rest(engine, array);
    else
        (void)array_end_if_over(engine, array);
}

/* ---- the end of a turn ---- */

static bool at_rest(const struct array *array)
{
    return array->active == 0 && task_waits_count(&array->again) < ARRAY_AGAIN_KEPT &&
           !array_cancels(array);
}

/* What it has taken is kept for the next time. */
static void forget(struct engine *engine, struct array **link)
{
    struct array *array = *link;
    struct array_link *kept = array_links_find(&engine->links, array->status.id);
    if (kept != NULL) {
        kept->taken = array->taken;
        kept->cancelled_rows = array->cancelled_rows;
        kept->kept = true;
        array->taken = (struct task_ranges){.ranges = NULL};
    }
    *link = array->next;
    array_free(array);
}

void array_rest(struct engine *engine, struct array *array)
{
    struct array **link = &engine->arrays;
    while (*link != array)
        link = &(*link)->next;
    if (array->changed)
        array_store(engine, array);
    if (at_rest(array))
        forget(engine, link);
}

void arrays_end_turn(struct engine *engine)
{
    struct array **link = &engine->arrays;
    while (*link != NULL) {
        struct array *array = *link;
        if (array->changed)
            array_store(engine, array);
        if (!at_rest(array)) {
            link = &array->next;
            continue;
        }
        forget(engine, link);
    }
}
