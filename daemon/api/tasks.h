/* Tasks of arrays as requests name them: {id, index} or {id, indices: "1-3,9"}. */
#ifndef BATCHD_DAEMON_API_TASKS_H
#define BATCHD_DAEMON_API_TASKS_H

#include "daemon/api/verb.h"
#include "daemon/core/task_ranges.h"

/* An array with the tasks that a request names of it. */
struct tasks {
    struct array_spec spec;
    struct task_ranges named;
};
void tasks_done(struct tasks *tasks);

/* Whether "index" or "indices" is there, of whatever type: tasks_read refuses a wrong one. */
bool tasks_are_named(const json_t *object);

/* Reads "index" or "indices" of `object`, or names all when it has neither. 0 and *ret
 * (tasks_done), or -1 with ERROR_INVALID that names the field, or ERROR_NOT_FOUND: no array, no
 * such task. */
int tasks_read(const json_t *object, const struct job_row *row, struct tasks *ret,
               struct error *err);

/* What the task at `position` is like, from its own row or, when it has none, from its array's:
 * it waits, or was cancelled before it started. 0 and *ret (job_status_done), or -1. */
int tasks_status(const struct api *api, const struct job_row *array, const struct array_spec *spec,
                 uint64_t position, struct job_status *ret, struct error *err);

/* Loads what the parameters "id" and "index" of a call name: a job, or with an index one task of an
 * array, whose status then stands in the place of the array's. 0, or -1 after replying. */
int load_named(struct api_call *call, struct job_row *ret);

#endif
