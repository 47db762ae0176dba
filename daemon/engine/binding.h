/* Processors that a job is bound to, of its own: an attempt has them from its start to its end, and
 * its row says which, so a batchd that is started anew knows them. Two that are bound never share
 * one; what is not bound runs on any. */
#ifndef BATCHD_DAEMON_ENGINE_BINDING_H
#define BATCHD_DAEMON_ENGINE_BINDING_H

#include "common/error.h"
#include "daemon/core/job.h"

struct engine;

/* The scheduler has found room among those that there were at the start of the daemon
 * (RESOURCE_BOUND); whether it is still there. False: it is put off for a while, since processors
 * were taken off, are not batchd's any more, or not its worker's. */
bool engine_may_bind(struct engine *engine, struct job *job, const struct job_facts *facts,
                     uint64_t worker);
/* It is put off for a while: workers are idle, and none of them binds, since an older spawner goes
 * on over an upgrade. What goes behind it may start. */
void engine_put_off_binding(struct engine *engine, struct job *job);
/* Then, of one that starts, when its GPUs are chosen: some near to these. 0 or -1. */
int engine_bind(const struct engine *engine, const struct job_facts *facts,
                struct job_status *status, struct error *err);

/* What lacks for what is to be bound and was put off, NULL: nothing. */
const char *engine_lacks_binding(const struct engine *engine);

#endif
