/* Arrays that wait for another one task by task (core/array_links.h). Each end of a task of the
 * other one is noted when it happens, in memory; those that wait are told of it at the end of the
 * turn, within its transaction: their tasks that may start now are queued, those that never can are
 * cancelled. So much of it a turn that others are served in between. How the tasks of an array
 * ended that was there before is read from its rows, so a crash leaves nothing behind. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/cancelled_rows.h"
#include "daemon/store/dependency_rows.h"
#include "daemon/store/task_rows.h"

#include <stdio.h>
#include <stdlib.h>

/* What a turn does of it, in units of some 30 us: telling one array, or one cancelled range of its
 * tasks, and what engine_work counts; rows that are read cost less. */
#define FOLLOWED_A_TURN 1000
#define PAGE_COST 200
/* So many rows of cancelled tasks of an array are written at once. Until it has APART_MAX each of
 * its tasks that cannot start has a row of its own, which says why, unless there are more than
 * RANGES_AT_ONCE in a row; then those that adjoin share one. */
#define RANGES_AT_ONCE 100U
#define APART_MAX 1000U
#define REASON_BYTES 160

/* ---- what may wait so ---- */

static int refuse(struct error *err, const struct dependency *what, const char *rule)
{
    return error_set_field(err, "depends", "depends \"aftercorr:%llu\": %s",
                           (unsigned long long)what->parent, rule);
}

int engine_check_link(const char *array, const char *awaited, const struct dependency *what,
                      struct error *err)
{
    struct array_spec mine, other;
    if (array == NULL)
        return refuse(err, what,
                      "only an array waits for another one task by task; a job waits for one with "
                      "afterok");
    if (awaited == NULL)
        return refuse(err, what, "that job is no array, so it has no tasks to wait for");
    if (array_spec_parse(array, UINT64_MAX, &mine, err) < 0)
        return -1;
    bool same = false;
    int result = array_spec_parse(awaited, UINT64_MAX, &other, err);
    if (result == 0) {
        same = array_spec_same_tasks(&mine, &other);
        array_spec_done(&other);
    }
    array_spec_done(&mine);
    if (result == 0 && !same)
        return error_set_field(
            err, "depends",
            "depends \"aftercorr:%llu\": both arrays must have tasks of the same "
            "indices; that one has %.60s, this one %.60s",
            (unsigned long long)what->parent, awaited, array);
    return result;
}

/* ---- how its tasks ended ---- */

static void add_otherwise(struct linked_array *awaited, uint64_t first, uint64_t last)
{
    task_ranges_add(&awaited->otherwise, first, last);
    awaited->otherwise_version++;
}

static void add_end(struct linked_array *awaited, uint64_t index, enum job_state state)
{
    uint64_t position;
    if (!job_state_terminal(state) || !array_spec_position(&awaited->spec, index, &position))
        return;
    if (state == JOB_STATE_COMPLETED)
        task_ranges_add(&awaited->completed, position, position);
    else
        add_otherwise(awaited, position, position);
}

void engine_note_link(struct engine *engine, const struct job_status *status)
{
    struct linked_array *awaited = array_links_awaited(&engine->links, status->id);
    if (awaited == NULL || !job_state_terminal(status->state))
        return;
    if (status->is_task)
        add_end(awaited, status->index, status->state);
    else
        awaited->ended = true;
    array_links_news(&engine->links, awaited);
}

void engine_note_link_cancelled(struct engine *engine, uint64_t id, const struct task_ranges *tasks)
{
    struct linked_array *awaited = array_links_awaited(&engine->links, id);
    if (awaited == NULL || tasks->count == 0)
        return;
    for (size_t i = 0; i < tasks->count; i++)
        add_otherwise(awaited, tasks->ranges[i].first, tasks->ranges[i].last);
    array_links_news(&engine->links, awaited);
}

struct reading {
    struct linked_array *awaited;
    uint32_t count;
};

static void read_end(void *arg, uint64_t index, enum job_state state)
{
    struct reading *reading = arg;
    add_end(reading->awaited, index, state);
    reading->awaited->read_from = index + 1;
    reading->count++;
}

/* When all is known: what has not completed never will. */
static void close_ended(struct linked_array *awaited)
{
    struct task_ranges all = {.ranges = NULL};
    uint64_t known = task_ranges_count(&awaited->otherwise, 0);
    task_ranges_add(&all, 0, awaited->spec.total - 1);
    task_ranges_minus(&all, 0, &awaited->completed, &awaited->otherwise);
    task_ranges_done(&all);
    awaited->closed = true;
    if (task_ranges_count(&awaited->otherwise, 0) > known)
        awaited->otherwise_version++;
}

static void read_some(struct engine *engine, struct linked_array *awaited)
{
    struct reading reading = {.awaited = awaited};
    struct error err;
    if (task_rows_each_state(engine->db, awaited->entry.id, awaited->read_from, read_end, &reading,
                             &err) < 0)
        engine_break(engine, &err);
    awaited->read = reading.count < TASK_STATES_PAGE;
}

/* ---- links ---- */

static void add_cancelled(void *arg, const struct cancelled_row *row)
{
    add_otherwise(arg, row->first, row->last);
}

/* Of one whose row is gone, nothing is known but that it is over; its tasks are those of the child.
 */
static int open_awaited(struct engine *engine, struct linked_array *awaited, uint64_t child,
                        struct error *err)
{
    struct job_row row;
    int result = job_rows_load(engine->db, awaited->entry.id, &row, err);
    bool gone = result < 0 && err->code == ERROR_NOT_FOUND;
    if (gone)
        result = job_rows_load(engine->db, child, &row, err);
    if (result < 0)
        return -1;
    result = array_spec_parse(row.facts.array, UINT64_MAX, &awaited->spec, err);
    awaited->ended = gone || job_state_terminal(row.status.state);
    awaited->read = gone;
    job_row_done(&row);
    return result < 0 || gone
               ? result
               : cancelled_rows_each(engine->db, awaited->entry.id, add_cancelled, awaited, err);
}

int engine_link(struct engine *engine, uint64_t id, uint32_t position,
                const struct dependency *what, struct error *err)
{
    bool is_new;
    struct array_link *link = array_links_add(&engine->links, id, what->parent, &is_new);
    link->position = position;
    if (is_new && open_awaited(engine, link->awaited, id, err) < 0)
        return -1;
    jobset_queue(engine->jobs, jobset_find(engine->jobs, id), false, clock_wall_us());
    dependency_graph_add(engine->waits, id, position, false, what);
    return 0;
}

void engine_unlink(struct engine *engine, uint64_t id)
{
    struct array_link *link = array_links_find(&engine->links, id);
    if (link != NULL)
        array_links_remove(&engine->links, link);
}

bool engine_array_awaits(const struct engine *engine, const struct job *job)
{
    const struct array_link *link = array_links_find(&engine->links, job->id);
    if (link == NULL || job->queued)
        return false;
    return link->awaited->completed.count == 0 ||
           !(job_blocked_by(job, JOB_BLOCKS) || engine_array_limited(engine, job->id));
}

/* ---- those that wait are told ---- */

/* One that is not live has tasks that wait, and but for a link nothing in its way; those it had
 * when it began to back off may not be all that it has now. */
void engine_requeue_array(struct engine *engine, struct job *job)
{
    bool looks = array_links_find(&engine->links, job->id) != NULL || engine_backs_off(engine, job);
    struct array *array = looks ? arrays_need(engine, job->id) : arrays_live(engine, job->id);
    if (array != NULL)
        array_requeue(engine, array);
    else if (!looks)
        jobset_queue(engine->jobs, job, true, clock_wall_us());
}

/* "dependency aftercorr:41 can never be satisfied: task 41_7 failed (exit 3)" of one task; of
 * several it is the same for all, so that those that adjoin may share a row. */
static void write_reason(struct engine *engine, const struct linked_array *awaited,
                         const uint64_t *position, char *ret, size_t bytes)
{
    unsigned long long id = awaited->entry.id;
    enum job_state state = JOB_STATE_CANCELLED;
    char how[64];
    struct error err;
    int length = snprintf(ret, bytes, "dependency aftercorr:%llu can never be satisfied: ", id);
    if (position == NULL) {
        (void)snprintf(ret + length, bytes - (size_t)length,
                       "that task of array %llu failed or was cancelled", id);
        return;
    }
    const struct dependency task = {.type = DEPENDENCY_AFTERCORR,
                                    .is_task = true,
                                    .parent = awaited->entry.id,
                                    .index = array_spec_index(&awaited->spec, *position)};
    if (engine_state_of(engine, &task, &state, &err) < 0)
        engine_break(engine, &err);
    engine_describe_end(engine, &task, state, how, sizeof(how));
    (void)snprintf(ret + length, bytes - (size_t)length, "task %llu_%llu %s", id,
                   (unsigned long long)task.index, how);
}

struct unreachable {
    struct cancelled_row rows[RANGES_AT_ONCE];
    char reasons[RANGES_AT_ONCE][REASON_BYTES];
    size_t count;
};

static void add_unreachable(struct engine *engine, const struct array_link *link,
                            const struct task_range *range, bool apart, struct unreachable *found)
{
    char *reason = found->reasons[found->count];
    write_reason(engine, link->awaited, apart ? &range->first : NULL, reason, REASON_BYTES);
    found->rows[found->count++] = (struct cancelled_row){.job = link->entry.id,
                                                         .first = range->first,
                                                         .last = apart ? range->first : range->last,
                                                         .ended_at = clock_wall_us(),
                                                         .message = reason};
}

/* Its next tasks that can never start. True: these are all. */
static bool find_unreachable(struct engine *engine, const struct array *array,
                             const struct array_link *link, struct unreachable *found)
{
    uint64_t from = array->status.tasks.next;
    struct task_range range;
    while (task_ranges_next(&link->awaited->otherwise, &array->taken, from, &range)) {
        bool apart = range.last - range.first < RANGES_AT_ONCE &&
                     array->cancelled_rows + found->count < APART_MAX;
        if (found->count == RANGES_AT_ONCE)
            return false;
        add_unreachable(engine, link, &range, apart, found);
        from = found->rows[found->count - 1].last + 1;
    }
    return true;
}

/* False: it has ended, or not all that are to be cancelled are: it is visited again. */
static bool cancel_unreachable(struct engine *engine, struct array_link *link, int *cost)
{
    struct unreachable found;
    struct array *array = arrays_need(engine, link->entry.id);
    if (array == NULL)
        return false;
    found.count = 0;
    bool all = find_unreachable(engine, array, link, &found);
    *cost += (int)found.count;
    if (all)
        link->told = link->awaited->otherwise_version;
    else
        array_links_news(&engine->links, link->awaited);
    return (found.count == 0 || array_cancel_unreachable(engine, array, found.rows, found.count)) &&
           all;
}

/* Nothing keeps its tasks from now on. */
static void finish(struct engine *engine, struct array_link *link)
{
    const struct dependency_row row = {
        .job = link->entry.id,
        .position = link->position,
        .what = {.type = DEPENDENCY_AFTERCORR, .parent = link->awaited->entry.id},
        .done_at = clock_wall_us()};
    struct error err;
    if (dependency_rows_put(engine->db, &row, &err) < 0)
        engine_break(engine, &err);
    dependency_graph_close_tasks(engine->waits, row.job);
    array_links_remove(&engine->links, link);
}

/* Also one whose tasks so far all back off. */
static bool may_be_queued(const struct engine *engine, const struct job *job)
{
    unsigned others = JOB_BLOCKS & ~(unsigned)JOB_LATER;
    return !job->queued && !job_blocked_by(job, (enum job_block)others) &&
           (!job_blocked_by(job, JOB_LATER) || engine_backs_off(engine, job));
}

static int visit(struct engine *engine, struct array_link *link)
{
    const uint64_t id = link->entry.id;
    struct linked_array *awaited = link->awaited;
    bool may_start = awaited->ended || awaited->completed.count > 0;
    int cost = 1;
    if (link->told == awaited->otherwise_version || cancel_unreachable(engine, link, &cost)) {
        struct job *job = jobset_find(engine->jobs, id);
        if (awaited->ended)
            finish(engine, link);
        /* With a task that may start it is queued; without any it is not even read for that. */
        if (may_be_queued(engine, job) && may_start)
            engine_requeue_array(engine, job);
    }
    struct array *array = arrays_live(engine, id);
    if (array != NULL)
        array_rest(engine, array);
    return cost;
}

/* What one step costs, in the units above; 0: nothing is left to do. */
static int step(struct engine *engine)
{
    struct array_link *link = array_links_take_fresh(&engine->links);
    struct linked_array *awaited = link == NULL ? array_links_first(&engine->links) : link->awaited;
    if (awaited == NULL)
        return 0;
    if (!awaited->read && link != NULL) { /* it is told with the others, when that is read */
        array_links_news(&engine->links, awaited);
        return 1;
    }
    if (!awaited->read) {
        read_some(engine, awaited);
        return PAGE_COST;
    }
    if (awaited->ended && !awaited->closed)
        close_ended(awaited);
    if (link == NULL)
        link = array_links_next(&engine->links, awaited);
    return link == NULL ? 1 : visit(engine, link);
}

void engine_follow_links(struct engine *engine)
{
    const uint64_t begun = engine_work(engine);
    uint64_t done = 0;
    int cost;
    while (done + engine_work(engine) - begun < FOLLOWED_A_TURN && !engine->broken &&
           (cost = step(engine)) > 0)
        done += (uint64_t)cost;
}
