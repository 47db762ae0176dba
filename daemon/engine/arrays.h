/* The arrays that are in motion: those with tasks at a worker, or with so many that wait for
 * another attempt that to read them again would take long; these are read at the start of the
 * daemon. Only they are kept in memory, so a waiting array costs what a waiting job costs; one
 * becomes live when its next task is taken or it is cancelled, from its row, and is forgotten at
 * the end of the turn in which its last task left a worker. Tasks that have a worker are in the
 * active list like jobs; what they do to their array is told here. An array's row is written once a
 * turn (arrays_end_turn) however many of its tasks moved, and at once when its state changes. */
#ifndef BATCHD_DAEMON_ENGINE_ARRAYS_H
#define BATCHD_DAEMON_ENGINE_ARRAYS_H

#include "common/error.h"
#include "daemon/core/array_spec.h"
#include "daemon/core/job.h"
#include "daemon/core/task_ranges.h"
#include "daemon/core/task_waits.h"
#include "daemon/store/array_rows.h"
#include "daemon/store/job_rows.h"

/* What fits beside the counts into an outcome's message. */
#define CANCEL_REASON_BYTES 100

struct active;
struct engine;
struct cancel_order;
struct cancelled_tasks;

struct array {
    struct array *next;
    struct array_spec spec;
    struct job_status status; /* of the array itself; status.tasks says how far it is */
    struct task_waits again;  /* tasks that wait for another attempt, by the monotonic clock */
    uint64_t active;          /* tasks that have a worker */
    /* Positions, of which those from tasks.next on count: they started before ones in front of them
     * (array_links.h), or were cancelled and never will (cancelled_rows.h). */
    struct task_ranges taken;
    uint64_t taken_ahead; /* of these, how many stand at or behind tasks.next */
    size_t cancelled_rows;
    struct array_options options;
    uint64_t memory_bytes;            /* what a task asks for that says nothing of its own */
    int64_t lifted_at;                /* its tasks that failed before need not wait any longer */
    size_t rows_read;                 /* when it was made live */
    bool changed;                     /* the row is to be written */
    uint64_t cancels_counted;         /* of status.tasks.cancelled, in the statistics */
    char *type;                       /* owned; NULL: a command */
    char reason[CANCEL_REASON_BYTES]; /* of a cancel of all of it, "" if none was given */
};

/* An array with so many tasks that wait for another attempt is kept: to read them takes some ms. */
#define ARRAY_AGAIN_KEPT 1000U

/* The live array of this id, or NULL. */
struct array *arrays_live(const struct engine *engine, uint64_t job);
/* The same, made live from its row when it is not. NULL with ERROR_DAMAGED or ERROR_IO. */
struct array *arrays_open(struct engine *engine, const struct job_row *row, struct error *err);
/* The same by its id; NULL after engine_break. */
struct array *arrays_need(struct engine *engine, uint64_t job);
void arrays_free(struct engine *engine);

/* Takes the next task; *ret_again: it has a row already. Only when array_can_take. */
uint64_t array_take(struct engine *engine, struct array *array, bool *ret_again);
/* A task goes back to wait, until its retry_at. */
void array_put_back(struct engine *engine, struct array *array, const struct job_status *task);
/* The tasks that wait for another attempt need not wait any longer. */
void array_lift(struct engine *engine, struct array *array, int64_t now);
/* A task runs, or ran unnoticed because it was short: so does its array. */
void array_task_runs(struct engine *engine, struct array *array, int64_t started_at);
/* A task was given its resources, began, stands, goes on or left its worker: while all that have
 * their resources stand, so does the array. The other is for what may be no task. */
void array_follow(struct engine *engine, struct array *array);
void array_follow_task(struct engine *engine, const struct active *entry);
/* A task has ended for good; after the last one the array ends, and `array` is gone. */
void array_task_ended(struct engine *engine, struct array *array, const struct job_status *task);

/* Ends it when nothing of it waits or runs; then `array` is gone and the result is true. */
bool array_end_if_over(struct engine *engine, struct array *array);

/* array_next.c: of the tasks that have no worker. */
/* Tasks that have not been given to a worker, also those that may not start yet. */
uint64_t array_waiting(const struct array *array);
/* How many tasks may start now, beyond the one by which each queued array counts in the queue. What
 * is not live counts as one: its next start makes it live. */
uint64_t arrays_more_startable(const struct engine *engine);

/* Whether one of them may start now, but for the limit of its specification. */
bool array_can_take(const struct engine *engine, struct array *array);
/* Whether its queue entry did not ask for what the next task does: it does now, and may not fit. */
bool array_asks_anew(struct engine *engine, const struct array *array);
/* The part of array_take that is about these: takes the next one out. */
uint64_t array_take_next(const struct engine *engine, struct array *array, bool *ret_again);
/* A task waits for another attempt; `until`: 0, or by the monotonic clock. */
void array_add_wait(struct array *array, const struct job_status *task, int64_t until);
/* Puts the array into the queue, or takes it out, as its limit and its tasks ask for; when all of
 * them back off, it does. */
void array_requeue(struct engine *engine, struct array *array);
/* One is added, so many tasks of which have ended: the others wait. */
void engine_count_tasks(struct engine *engine, uint64_t id, const char *spec, uint64_t ended);

/* array_cancel.c. Cancels what has not started and tells the workers of what has. The array ends
 * when the last of them has ended; then `array` is gone. `reason` may be NULL. */
void array_cancel(struct engine *engine, struct array *array, uint64_t grace_ms,
                  const char *reason);
/* Of an array that is cancelled as a whole, tasks that wait for another attempt may be left: each
 * has a row. So many a turn; engine->cancels_left: there are more. */
void arrays_cancel_more(struct engine *engine);
static inline bool array_cancels(const struct array *array)
{
    return array->status.cancelling && task_waits_count(&array->again) > 0;
}
/* The same for some of its tasks. *ret says of how many; those that have ended are left out.
 * ERROR_LIMIT: it has been cancelled in too many parts; nothing has changed. */
int array_cancel_tasks(struct engine *engine, struct array *array, const struct cancel_order *order,
                       struct cancelled_tasks *ret, struct error *err);
/* Those of these positions that have not started will not, each for its reason: see array_link.c.
 * False: it has ended, and is gone. */
struct cancelled_row;
bool array_cancel_unreachable(struct engine *engine, struct array *array,
                              const struct cancelled_row *rows, size_t count);
/* More of its tasks have failed than it allows: cancels the rest of it. */
void array_cancel_rest(struct engine *engine, struct array *array);
bool array_fails_passed(const struct array *array);
/* Writes the array's row. */
void array_store(struct engine *engine, struct array *array);

/* Forgets it already, if no task of it is at a worker. */
void array_rest(struct engine *engine, struct array *array);
/* Writes the rows of the arrays that changed in this turn, and forgets those at rest. */
void arrays_end_turn(struct engine *engine);

#endif
