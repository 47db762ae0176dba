/* What a job waits for: looked at when it is submitted and at the start of the daemon, from the
 * state of each parent; from then on each start and end tells (dependents.c). Which dependencies
 * are fulfilled is in the store, so that what ended is not asked for again. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/core/array_spec.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/cancelled_rows.h"
#include "daemon/store/dependency_rows.h"
#include "daemon/store/task_rows.h"

#include <stdlib.h>

/* A task without a row: it waits, unless it was cancelled, by itself or with its array. */
static int state_unstarted(struct engine *engine, const struct dependency *what,
                           enum job_state *ret, struct error *err)
{
    struct array_spec spec = {.ranges = NULL};
    struct job_status unused;
    struct job_row row;
    uint64_t position;
    if (job_rows_load(engine->db, what->parent, &row, err) < 0)
        return -1;
    bool over = row.status.cancelling;
    int found = array_spec_parse(row.facts.array, UINT64_MAX, &spec, err);
    job_row_done(&row);
    if (found == 0 && array_spec_position(&spec, what->index, &position))
        found = cancelled_rows_find(engine->db, what->parent, position, &unused, err);
    array_spec_done(&spec);
    *ret = over || found > 0 ? JOB_STATE_CANCELLED : JOB_STATE_PENDING;
    return found < 0 ? -1 : 0;
}

int engine_state_of(struct engine *engine, const struct dependency *what, enum job_state *ret,
                    struct error *err)
{
    const struct job *job = jobset_find(engine->jobs, what->parent);
    struct job_status task;
    struct job_row row;
    if (what->is_task && task_rows_load(engine->db, what->parent, what->index, &task, err) == 0) {
        *ret = task.state;
        job_status_done(&task);
        return 0;
    }
    if (what->is_task && err->code != ERROR_NOT_FOUND)
        return -1;
    *ret = job != NULL ? job_state_of(job) : JOB_STATE_CANCELLED;
    if (what->is_task)
        return job != NULL ? state_unstarted(engine, what, ret, err) : 0;
    if (job != NULL)
        return 0;
    if (job_rows_load(engine->db, what->parent, &row, err) < 0)
        return err->code == ERROR_NOT_FOUND ? 0 : -1;
    *ret = row.status.state;
    job_row_done(&row);
    return 0;
}

/* ---- what is refused ---- */

static int refuse(struct error *err, const struct dependency *what, const char *rule)
{
    char text[64];
    dependency_format(what, text, sizeof(text));
    return error_set_field(err, "depends", "depends \"%s\": %s", text, rule);
}

static int check_task(const struct job_facts *parent, const struct dependency *what,
                      struct error *err)
{
    struct array_spec spec = {.ranges = NULL};
    uint64_t position;
    if (parent->array == NULL)
        return refuse(err, what, "that job is no array, so it has no tasks");
    if (array_spec_parse(parent->array, UINT64_MAX, &spec, err) < 0)
        return -1;
    bool there = array_spec_position(&spec, what->index, &position);
    array_spec_done(&spec);
    return there ? 0 : refuse(err, what, "that array has no such task");
}

/* Absent and forbidden jobs answer alike. */
static int check_parent(struct engine *engine, const struct job_facts *facts,
                        const struct dependency *what, struct error *err)
{
    const struct job *job = jobset_find(engine->jobs, what->parent);
    bool as_array = what->is_task || what->type == DEPENDENCY_AFTERCORR;
    struct job_row row;
    if (job != NULL && !as_array)
        return facts->may_name_any || job->uid == facts->uid ? 0 : refuse(err, what, "no such job");
    if (job_rows_load(engine->db, what->parent, &row, err) < 0)
        return err->code == ERROR_NOT_FOUND ? refuse(err, what, "no such job") : -1;
    int result = 0;
    if (!facts->may_name_any && row.facts.uid != facts->uid)
        result = refuse(err, what, "no such job");
    else if (what->is_task)
        result = check_task(&row.facts, what, err);
    else if (as_array)
        result = engine_check_link(facts->array, row.facts.array, what, err);
    job_row_done(&row);
    return result;
}

int engine_check_depends(struct engine *engine, const struct job_facts *facts, struct error *err)
{
    for (size_t i = 0; i < facts->depends.count; i++) {
        const struct dependency *what = &facts->depends.items[i];
        if (what->type != DEPENDENCY_SINGLETON && what->parent < DEPENDENCY_SIBLING &&
            check_parent(engine, facts, what, err) < 0)
            return -1;
    }
    return 0;
}

static int check_sibling(const struct job_facts *facts, const struct job_facts *parent,
                         const struct dependency *what, struct error *err)
{
    if (what->type == DEPENDENCY_AFTERCORR &&
        engine_check_link(facts->array, parent->array, what, NULL) < 0)
        return error_set_field(err, "depends",
                               "aftercorr goes between two arrays whose tasks have the same "
                               "indices");
    if (what->is_task && check_task(parent, what, NULL) < 0)
        return error_set_field(err, "depends",
                               parent->array == NULL
                                   ? "it names task %llu of a job that is no array"
                                   : "it names task %llu of an array that has no such task",
                               (unsigned long long)what->index);
    return 0;
}

int engine_check_siblings(const struct job_facts *jobs, size_t at, struct error *err)
{
    const struct dependency_spec *depends = &jobs[at].depends;
    for (size_t i = 0; i < depends->count; i++) {
        const struct dependency *what = &depends->items[i];
        if (what->parent >= DEPENDENCY_SIBLING &&
            check_sibling(&jobs[at], &jobs[what->parent - DEPENDENCY_SIBLING], what, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what is waited for ---- */

/* How a job's dependencies stand, added up one by one. */
struct standing {
    bool any;
    size_t open, fulfilled;
    const struct dependency *gone; /* one that can never be, or NULL */
    enum job_state gone_by;        /* the state that its parent ended in */
    int64_t first, last;           /* when fulfilled */
};

static void add_fulfilled(struct standing *standing, int64_t at)
{
    standing->first = standing->fulfilled == 0 || at < standing->first ? at : standing->first;
    standing->last = at > standing->last ? at : standing->last;
    standing->fulfilled++;
}

/* Looks at one of a submitted job's, writes its row, and waits for it when it is open. */
static int add_one(struct engine *engine, const struct job_facts *facts, struct dependency_row *row,
                   struct standing *standing, struct error *err)
{
    struct dependency what = row->what;
    enum job_state state = JOB_STATE_PENDING;
    if (what.type == DEPENDENCY_AFTERCORR) { /* that keeps its tasks, not the array */
        row->done_at = DEPENDENCY_OPEN;
        return engine_link(engine, row->job, row->position, &what, err) < 0
                   ? -1
                   : dependency_rows_put(engine->db, row, err);
    }
    if (what.type == DEPENDENCY_SINGLETON) {
        if (job_rows_find_namesake(engine->db, facts->uid, facts->name, facts->id, &what.parent,
                                   err) < 0)
            return -1;
        state = what.parent == 0 ? JOB_STATE_COMPLETED : JOB_STATE_PENDING;
    } else if (engine_state_of(engine, &what, &state, err) < 0) {
        return -1;
    }
    bool started = what.type == DEPENDENCY_AFTER && state >= JOB_STATE_RUNNING;
    row->done_at = DEPENDENCY_OPEN;
    if (started || (job_state_terminal(state) && dependency_fulfilled(what.type, state))) {
        row->done_at = clock_wall_us();
        add_fulfilled(standing, row->done_at);
    } else if (job_state_terminal(state)) {
        row->done_at = DEPENDENCY_GONE;
        standing->gone = &row->what;
        standing->gone_by = state;
    } else {
        dependency_graph_add(engine->waits, row->job, row->position, row->any, &what);
        standing->open++;
    }
    return dependency_rows_put(engine->db, row, err);
}

/* What the standing means for the job, which has been added to the jobset. */
static void decide(struct engine *engine, uint64_t id, const struct standing *standing)
{
    struct job *job = jobset_find(engine->jobs, id);
    int64_t now = clock_wall_us();
    bool met =
        standing->any ? standing->fulfilled > 0 : standing->gone == NULL && standing->open == 0;
    bool never = standing->gone != NULL && (!standing->any || standing->open == 0);
    if (met) {
        int64_t since = standing->any ? standing->first : standing->last;
        if (since > job->since)
            jobset_set_since(engine->jobs, job, since, now);
        if (standing->any)
            dependency_graph_drop(engine->waits, id);
        return;
    }
    jobset_block(engine->jobs, job, JOB_DEPENDS);
    if (never)
        engine_end_child(engine, id, standing->gone, standing->gone_by);
}

void engine_add_depends(struct engine *engine, const struct job_facts *facts)
{
    const struct dependency_spec *spec = &facts->depends;
    struct standing standing = {.any = spec->any};
    struct dependency_row row = {.job = facts->id, .any = spec->any};
    struct dependency gone;
    struct error err;
    for (size_t i = 0; i < spec->count && !engine->broken; i++) {
        row.position = (uint32_t)i;
        row.what = spec->items[i];
        if (add_one(engine, facts, &row, &standing, &err) < 0) {
            engine_break(engine, &err);
            return;
        }
        if (standing.gone == &row.what) {
            gone = row.what;
            standing.gone = &gone;
        }
    }
    if (spec->count > 0)
        decide(engine, facts->id, &standing);
}

/* ---- at the start of the daemon ---- */

struct rows {
    struct dependency_row *items; /* owned */
    size_t count, room;
};

static void keep_row(void *arg, const struct dependency_row *row)
{
    struct rows *rows = arg;
    if (rows->count == rows->room) {
        rows->room = rows->room == 0 ? 256 : rows->room * 2;
        rows->items = xreallocarray(rows->items, rows->room, sizeof(*rows->items));
    }
    rows->items[rows->count++] = *row;
}

/* An open one: its parent may have ended already, in a turn whose rest was never done. */
static int restore_open(struct engine *engine, struct dependency_row *row,
                        struct standing *standing, struct error *err)
{
    struct dependency what = row->what;
    enum job_state state = JOB_STATE_PENDING;
    if (what.type == DEPENDENCY_SINGLETON) {
        if (engine_find_namesake(engine, row->job, &what.parent, err) < 0)
            return -1;
        if (what.parent == 0) {
            row->done_at = clock_wall_us();
            add_fulfilled(standing, row->done_at);
            return dependency_rows_put(engine->db, row, err);
        }
    } else if (engine_state_of(engine, &what, &state, err) < 0) {
        return -1;
    }
    dependency_graph_add(engine->waits, row->job, row->position, row->any, &what);
    standing->open++;
    if (state >= JOB_STATE_RUNNING)
        engine_note_state(engine, &what, state);
    return 0;
}

static int restore_job(struct engine *engine, struct dependency_row *rows, size_t count,
                       struct error *err)
{
    struct standing standing = {.any = rows[0].any};
    for (size_t i = 0; i < count; i++) {
        if (rows[i].what.type == DEPENDENCY_AFTERCORR) {
            if (rows[i].done_at == DEPENDENCY_OPEN &&
                engine_link(engine, rows[i].job, rows[i].position, &rows[i].what, err) < 0)
                return -1;
        } else if (rows[i].done_at > 0) {
            add_fulfilled(&standing, rows[i].done_at);
        } else if (rows[i].done_at == DEPENDENCY_GONE) {
            standing.gone = &rows[i].what;
            standing.gone_by = JOB_STATE_CANCELLED;
        } else if (restore_open(engine, &rows[i], &standing, err) < 0) {
            return -1;
        }
    }
    decide(engine, rows[0].job, &standing);
    return 0;
}

int engine_restore_depends(struct engine *engine, struct error *err)
{
    struct rows rows = {.items = NULL};
    int result = dependency_rows_each_open(engine->db, keep_row, &rows, err);
    for (size_t i = 0; i < rows.count && result == 0;) {
        size_t next = i + 1;
        while (next < rows.count && rows.items[next].job == rows.items[i].job)
            next++;
        result = restore_job(engine, &rows.items[i], next - i, err);
        i = next;
    }
    free(rows.items);
    return result;
}

/* ---- changed while it waits ---- */

int engine_would_wait(struct engine *engine, const struct job_facts *facts, uint64_t id,
                      struct dependency_path *ret_path, struct error *err)
{
    const struct dependency_spec *spec = &facts->depends;
    CLEANUP_FREE uint64_t *parents = xcalloc(spec->count + 1, sizeof(*parents));
    for (size_t i = 0; i < spec->count; i++) {
        parents[i] = spec->items[i].parent;
        if (spec->items[i].type == DEPENDENCY_SINGLETON &&
            job_rows_find_namesake(engine->db, facts->uid, facts->name, facts->id, &parents[i],
                                   err) < 0)
            return -1;
    }
    ret_path->count =
        dependency_graph_cycle(engine->waits, id, parents, spec->count, &ret_path->ids);
    return 0;
}

int engine_check_change(struct engine *engine, const struct job_facts *facts,
                        struct dependency_path *ret_path, struct error *err)
{
    const struct job *job = jobset_find(engine->jobs, facts->id);
    if (job_state_of(job) != JOB_STATE_PENDING)
        return error_set(err, ERROR_CONFLICT, "job %llu is %s; what it waits for is past",
                         (unsigned long long)job->id, job_state_word(job_state_of(job)));
    if (engine_check_depends(engine, facts, err) < 0 ||
        engine_would_wait(engine, facts, facts->id, ret_path, err) < 0)
        return -1;
    return ret_path->count == 0 ? 0 : engine_refuse_cycle(ret_path, "depends", err);
}

int engine_set_depends(struct engine *engine, const struct job_facts *facts, struct error *err)
{
    struct job *job = jobset_find(engine->jobs, facts->id);
    int64_t now = clock_wall_us();
    if (dependency_rows_delete(engine->db, job->id, err) < 0) {
        engine_break(engine, err);
        return -1;
    }
    dependency_graph_drop(engine->waits, job->id);
    engine_unlink(engine, job->id);
    if (job_blocked_by(job, JOB_DEPENDS))
        jobset_set_since(engine->jobs, job, now, now);
    engine_unblock(engine, job, JOB_DEPENDS, now);
    engine_add_depends(engine, facts);
    return 0;
}
