/* What the engine does of its schedules (schedules.c): others see schedules.h. */
#ifndef BATCHD_DAEMON_ENGINE_SCHEDULE_TURNS_H
#define BATCHD_DAEMON_ENGINE_SCHEDULE_TURNS_H

#include "common/error.h"

struct engine;
struct job;
struct job_status;

/* The start before jobs are there, the end of each turn (what is due is submitted), the end. */
int schedules_load(struct engine *engine, struct error *err);
void schedules_due(struct engine *engine, int64_t now);
void schedules_free(struct engine *engine);
/* At the start: of each job that has not ended, in the order of their ids, with its key or NULL;
 * and that these were all. */
void schedules_found(struct engine *engine, struct job *job, const char *key);
void schedules_found_all(struct engine *engine);
/* A job, and no task of one, has ended. */
void schedules_run_ended(struct engine *engine, const struct job *job,
                         const struct job_status *status);

#endif
