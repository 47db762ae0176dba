/* What the engine's jobs do now, and what they will: for those who explain it. What only looks
 * changes nothing; what predicts uses the engine up, and is called in a copy of the process alone
 * (exec/snapshot.h). */
#ifndef BATCHD_DAEMON_ENGINE_OUTLOOK_H
#define BATCHD_DAEMON_ENGINE_OUTLOOK_H

#include "daemon/core/forecast.h"
#include "daemon/core/start_changes.h"
#include "daemon/store/job_rows.h"

struct engine;

/* Each job, or task of an array, that has a worker. `held`: the resources that it has; NULL: it
 * waits in its worker behind another that has them for it. */
typedef void (*engine_running_fn)(void *arg, const struct job *job, const struct job_status *status,
                                  const struct resources *held);
void engine_running_each(const struct engine *engine, engine_running_fn each, void *arg);

/* Whether a task that has a worker is suspended. */
bool engine_task_suspended(const struct engine *engine, uint64_t id, uint64_t index);

/* Of an array's task that waits: so many of its tasks start before it. False: it does not wait. */
bool engine_task_turn(struct engine *engine, const struct job_row *array, uint64_t index,
                      uint64_t *ret);
/* The counts of an unfinished array, or NULL. */
const struct task_count *engine_task_count(const struct engine *engine, uint64_t id);

/* What such a job should ask for, since jobs of its owner and name (or type) had too little memory;
 * 0: none had. */
uint64_t engine_learned_memory(const struct engine *engine, const struct job_facts *facts);

/* For start_changes_find: changes it and puts it back. */
void engine_start_state(struct engine *engine, int64_t now, struct start_state *ret);
/* With all that runs in it. */
struct forecast *engine_forecast(struct engine *engine, int64_t now,
                                 const struct forecast_events *events, void *arg);

#endif
