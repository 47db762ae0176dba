/* What the engine's jobs do now and will do next, for those who explain it: borrowed looks, nothing
 * changes. */
#ifndef BATCHD_DAEMON_ENGINE_OUTLOOK_H
#define BATCHD_DAEMON_ENGINE_OUTLOOK_H

#include "daemon/core/job.h"

struct engine;

/* Each job, or task of an array, that has a worker. `holds`: it has its resources; else it waits in
 * its worker behind another that has them for it. */
typedef void (*engine_running_fn)(void *arg, const struct job *job, const struct job_status *status,
                                  bool holds);
void engine_running_each(const struct engine *engine, engine_running_fn each, void *arg);

#endif
