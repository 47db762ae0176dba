/* The unfinished arrays: how far each is, and which of its tasks goes next. Tasks that have a
 * worker are in the active list like jobs; what they do to their array is told here. An array's row
 * is written once a turn (arrays_store), however many of its tasks moved. */
#ifndef BATCHD_DAEMON_ENGINE_ARRAYS_H
#define BATCHD_DAEMON_ENGINE_ARRAYS_H

#include "common/error.h"
#include "daemon/core/array_spec.h"
#include "daemon/core/job.h"

struct engine;

struct array {
    struct array *next;
    struct array_spec spec;
    struct job_status status; /* of the array itself; status.tasks says how far it is */
    uint64_t *again;          /* indices of tasks that wait for another attempt, ascending */
    size_t again_count;
    uint64_t active; /* tasks that have a worker */
    bool changed;    /* the row is to be written */
};

/* A new array, or one of an earlier daemon. -1 with ERROR_DAMAGED when `spec` is none. */
int arrays_add(struct engine *engine, const struct job_status *status, const char *spec,
               struct error *err);
void arrays_free(struct engine *engine);
struct array *arrays_find(const struct engine *engine, uint64_t job); /* NULL: none */

/* Tasks that have not been given to a worker. */
uint64_t array_waiting(const struct array *array);
/* How many tasks may start now, beyond the one by which each queued array counts in the queue. */
uint64_t arrays_more_startable(const struct engine *engine);

/* Takes the next task; *ret_again: it has a row already. Only when array_waiting. */
uint64_t array_take(struct engine *engine, struct array *array, bool *ret_again);
/* A task goes back to wait. */
void array_put_back(struct engine *engine, struct array *array, uint64_t index);
/* A task runs: so does its array. */
void array_task_runs(struct engine *engine, struct array *array);
/* A task has ended for good; after the last one the array ends, and `array` is gone. */
void array_task_ended(struct engine *engine, struct array *array, const struct job_status *task);

/* Cancels what has not started and tells the workers of what has. The array ends when the last of
 * them has ended; then `array` is gone. */
void array_cancel(struct engine *engine, struct array *array, uint64_t grace_ms);

/* Puts the array into the queue, or takes it out, as its limit and its tasks ask for. */
void array_requeue(struct engine *engine, const struct array *array);

/* Writes the rows of the arrays that changed in this turn. */
void arrays_store(struct engine *engine);

#endif
