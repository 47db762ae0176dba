/* Several new jobs at once (submit.c); one is engine_submit. */
#ifndef BATCHD_DAEMON_ENGINE_SUBMIT_H
#define BATCHD_DAEMON_ENGINE_SUBMIT_H

#include "common/error.h"

#include <stddef.h>

struct engine;
struct job_facts;

/* So many new jobs, all or none, their ids one after the other. Each may depend on those before it,
 * by DEPENDENCY_SIBLING and their place. The errors of engine_submit, of the job at *ret_at, or
 * with *ret_at = count of all of them. */
int engine_submit_jobs(struct engine *engine, struct job_facts *jobs, size_t count, size_t *ret_at,
                       struct error *err);
/* Its errors: nothing is changed. */
int engine_check_jobs(struct engine *engine, const struct job_facts *jobs, size_t count,
                      size_t *ret_at, struct error *err);

#endif
