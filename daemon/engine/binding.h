/* Processors that a job is bound to, of its own: an attempt has them from its start to its end, and
 * its row says which, so a batchd that is started anew knows them. Two that are bound never share
 * one; what is not bound runs on any. */
#ifndef BATCHD_DAEMON_ENGINE_BINDING_H
#define BATCHD_DAEMON_ENGINE_BINDING_H

#include "common/error.h"
#include "daemon/core/job.h"

struct engine;

/* Of one that starts, when its GPUs are chosen: some near to these. There is room, since the
 * scheduler has asked for it (RESOURCE_BOUND). 0 or -1. */
int engine_bind(const struct engine *engine, const struct job_facts *facts,
                struct job_status *status, struct error *err);

/* Whether what is to be bound waits for workers that can do it. */
bool engine_lacks_binding(const struct engine *engine);

#endif
