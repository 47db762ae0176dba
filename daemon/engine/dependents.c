/* What follows from a start or an end for those who wait for it. It is noted when it happens, in a
 * table in memory and without a look at the store when nobody waits for it, and followed at the end
 * of the turn, within its transaction: a job that ends for it is noted in turn, so a chain of any
 * length is a loop. So much of it a turn that others are served in between; what a crash leaves
 * undone follows from the store (engine_restore_depends). */
#include "common/alloc.h"
#include "common/clock.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/dependency_rows.h"
#include "daemon/store/task_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In units of some 20 us: each takes two or three statements, and what engine_work counts. */
#define FOLLOWED_A_TURN 1000
#define REASON_BYTES 200
#define WHOLE (-1)

static void add_notice(struct engine *engine, struct notice notice)
{
    if (engine->notice_first == engine->notice_count)
        engine->notice_first = engine->notice_count = 0;
    if (engine->notice_count == engine->notice_room && engine->notice_first > 0) {
        engine->notice_count -= engine->notice_first;
        memmove(engine->notices, engine->notices + engine->notice_first,
                engine->notice_count * sizeof(notice));
        engine->notice_first = 0;
    }
    if (engine->notice_count == engine->notice_room) {
        engine->notice_room = engine->notice_room == 0 ? 64 : engine->notice_room * 2;
        engine->notices =
            xreallocarray(engine->notices, engine->notice_room, sizeof(*engine->notices));
    }
    engine->notices[engine->notice_count++] = notice;
}

void engine_note(struct engine *engine, const struct job_status *status)
{
    int64_t index = status->is_task ? (int64_t)status->index : WHOLE;
    engine_note_link(engine, status);
    if (dependency_graph_empty(engine->waits) ||
        !dependency_graph_awaited(engine->waits, status->id, index))
        return;
    add_notice(engine, (struct notice){.id = status->id,
                                       .index = index,
                                       .state = status->state,
                                       .at = clock_wall_us()});
}

void engine_note_cancelled(struct engine *engine, const struct array *array,
                           const struct task_ranges *tasks)
{
    const uint64_t id = array->status.id;
    uint64_t *awaited;
    uint64_t position;
    engine_note_link_cancelled(engine, id, tasks);
    if (tasks->count == 0 || dependency_graph_empty(engine->waits))
        return;
    size_t count = dependency_graph_tasks(engine->waits, id, &awaited);
    for (size_t i = 0; i < count; i++) {
        const struct dependency task = {.is_task = true, .parent = id, .index = awaited[i]};
        if (array_spec_position(&array->spec, awaited[i], &position) &&
            task_ranges_has(tasks, position))
            engine_note_state(engine, &task, JOB_STATE_CANCELLED);
    }
    free(awaited);
}

void engine_note_state(struct engine *engine, const struct dependency *what, enum job_state state)
{
    add_notice(engine, (struct notice){.id = what->parent,
                                       .index = what->is_task ? (int64_t)what->index : WHOLE,
                                       .state = state,
                                       .at = clock_wall_us()});
}

/* ---- what becomes of a child ---- */

static void free_child(struct engine *engine, uint64_t child, int64_t at)
{
    struct job *job = jobset_find(engine->jobs, child);
    int64_t now = clock_wall_us();
    if (at > job->since)
        jobset_set_since(engine->jobs, job, at, now);
    engine_unblock(engine, job, JOB_DEPENDS, now);
}

/* " (exit 3)", " (signal 9)" or the class; "" when nothing is known. */
static void describe_outcome(struct engine *engine, const struct dependency *what, char *ret,
                             size_t bytes)
{
    struct job_row row;
    struct outcome outcome = {.class = OUTCOME_NONE};
    struct job_status task;
    ret[0] = '\0';
    if (what->is_task && task_rows_load(engine->db, what->parent, what->index, &task, NULL) == 0) {
        outcome = task.outcome;
        job_status_done(&task);
    } else if (!what->is_task && job_rows_load(engine->db, what->parent, &row, NULL) == 0) {
        outcome = row.status.outcome;
        job_row_done(&row);
    }
    if (outcome.class == OUTCOME_EXIT ||
        (outcome.class == OUTCOME_PROCESSOR && outcome.exit_code >= 0))
        (void)snprintf(ret, bytes, " (exit %d)", outcome.exit_code);
    else if (outcome.class == OUTCOME_SIGNAL)
        (void)snprintf(ret, bytes, " (signal %d)", outcome.signal);
    else if (outcome.class != OUTCOME_NONE)
        (void)snprintf(ret, bytes, " (%s)", outcome_class_word(outcome.class));
}

void engine_describe_end(struct engine *engine, const struct dependency *what, enum job_state state,
                         char *ret, size_t bytes)
{
    char outcome[32] = "";
    if (state == JOB_STATE_FAILED)
        describe_outcome(engine, what, outcome, sizeof(outcome));
    (void)snprintf(ret, bytes, "%s%s",
                   state == JOB_STATE_CANCELLED ? "was cancelled" : job_state_word(state), outcome);
}

static void cancel_child(struct engine *engine, uint64_t child, const char *reason)
{
    enum job_state state;
    struct error err;
    if (engine_cancel(engine, child, -1, reason, &state, &err) < 0)
        engine_break(engine, &err);
}

void engine_end_child(struct engine *engine, uint64_t child, const struct dependency *what,
                      enum job_state state)
{
    char reason[REASON_BYTES], text[64], how[64];
    const char *parent;
    dependency_format(what, text, sizeof(text));
    parent = strchr(text, ':');
    engine_describe_end(engine, what, state, how, sizeof(how));
    (void)snprintf(reason, sizeof(reason), "dependency %s can never be satisfied: %s %s %s", text,
                   what->is_task ? "task" : "job", parent == NULL ? "" : parent + 1, how);
    cancel_child(engine, child, reason);
}

/* ---- what an edge's parent means for it ---- */

/* Only an edit can make this: an earlier job of its name waits for it. */
static void end_cyclic(struct engine *engine, uint64_t child, uint64_t namesake)
{
    char reason[REASON_BYTES];
    (void)snprintf(reason, sizeof(reason),
                   "dependency singleton can never be satisfied: job %llu waits for this one",
                   (unsigned long long)namesake);
    cancel_child(engine, child, reason);
}

/* True when another job stands in the way of a singleton now, or it is over. */
static bool redirected(struct engine *engine, struct dependency_edge *edge)
{
    struct error err;
    uint64_t namesake = 0;
    uint64_t *path = NULL;
    if (engine_find_namesake(engine, edge->child, &namesake, &err) < 0) {
        engine_break(engine, &err);
        return true;
    }
    if (namesake == 0)
        return false;
    bool cyclic = dependency_graph_cycle(engine->waits, edge->child, &namesake, 1, &path) > 0;
    free(path);
    if (cyclic)
        end_cyclic(engine, edge->child, namesake);
    else
        dependency_graph_redirect(engine->waits, edge, namesake);
    return true;
}

static void settle(struct engine *engine, struct dependency_edge *edge, enum job_state state,
                   int64_t at)
{
    struct dependency_row row = {.job = edge->child,
                                 .position = edge->position,
                                 .any = edge->any,
                                 .what = edge->what,
                                 .done_at = at};
    struct error err;
    bool fulfilled = !job_state_terminal(state) || dependency_fulfilled(edge->what.type, state);
    if (edge->what.type == DEPENDENCY_SINGLETON) {
        if (redirected(engine, edge))
            return;
        row.what.parent = 0;
    }
    if (!fulfilled)
        row.done_at = DEPENDENCY_GONE;
    if (dependency_rows_put(engine->db, &row, &err) < 0) {
        engine_break(engine, &err);
        return;
    }
    switch (dependency_graph_close(engine->waits, edge, fulfilled)) {
    case DEPENDENCY_MET:
        free_child(engine, row.job, at);
        break;
    case DEPENDENCY_NEVER:
        engine_end_child(engine, row.job, &row.what, state);
        break;
    case DEPENDENCY_WAITS:
        break;
    }
}

void engine_seek_namesakes(struct engine *engine, uint64_t child)
{
    struct dependency_edge *next;
    for (struct dependency_edge *edge = dependency_graph_first_of(engine->waits, child);
         edge != NULL && !engine->broken; edge = next) {
        next = edge->next_of_child;
        if (edge->what.type == DEPENDENCY_SINGLETON)
            settle(engine, edge, JOB_STATE_COMPLETED, clock_wall_us());
        if (dependency_graph_first_of(engine->waits, child) == NULL)
            return; /* it waits for nothing any more, or was cancelled */
    }
}

/* The next that this is news for. */
static struct dependency_edge *next_edge(const struct engine *engine, const struct notice *notice)
{
    const struct dependency_graph *waits = engine->waits;
    struct dependency_edge *edge =
        dependency_graph_first(waits, notice->id, notice->index, WAIT_FOR_START);
    if (edge != NULL || !job_state_terminal(notice->state))
        return edge;
    edge = dependency_graph_first(waits, notice->id, notice->index, WAIT_FOR_END);
    if (edge == NULL && notice->index == WHOLE)
        edge = dependency_graph_first_of_tasks(waits, notice->id);
    return edge;
}

/* Its array has ended, and the task's own end has not been followed: it was told of later (at a
 * start of the daemon they come in the order of the children), or the task never started. */
static enum job_state end_of_task(struct engine *engine, const struct dependency *what)
{
    enum job_state state = JOB_STATE_CANCELLED;
    struct error err;
    if (engine_state_of(engine, what, &state, &err) < 0)
        engine_break(engine, &err);
    return job_state_terminal(state) ? state : JOB_STATE_CANCELLED;
}

/* False when nobody is left whom this is news for. */
static bool follow_one(struct engine *engine, const struct notice *notice)
{
    struct dependency_edge *edge = next_edge(engine, notice);
    if (edge == NULL)
        return false;
    enum job_state state = edge->what.is_task && notice->index == WHOLE
                               ? end_of_task(engine, &edge->what)
                               : notice->state;
    settle(engine, edge, state, notice->at);
    return true;
}

void engine_follow(struct engine *engine)
{
    const uint64_t begun = engine_work(engine);
    uint64_t count = 0;
    for (; count + engine_work(engine) - begun < FOLLOWED_A_TURN && !engine->broken; count++) {
        if (engine->notice_first == engine->notice_count)
            return;
        const struct notice notice = engine->notices[engine->notice_first];
        if (!follow_one(engine, &notice))
            engine->notice_first++;
    }
}
