/* What the engine does of its schedules (schedules.c): others see schedules.h. */
#ifndef BATCHD_DAEMON_ENGINE_SCHEDULE_TURNS_H
#define BATCHD_DAEMON_ENGINE_SCHEDULE_TURNS_H

#include "common/error.h"

struct engine;
struct job_status;

/* The start, the end of each turn (what is due is submitted), the end. */
int schedules_load(struct engine *engine, struct error *err);
void schedules_due(struct engine *engine, int64_t now);
void schedules_free(struct engine *engine);
/* A job, and no task of one, has ended. */
void schedules_run_ended(struct engine *engine, const struct job_status *status);

#endif
