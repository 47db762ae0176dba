/* Processors that a job is bound to, of its own: an attempt has them from its start to its end, and
 * its row says which, so a batchd that is started anew knows them. Two that are bound never share
 * one; what is not bound runs on any. */
#ifndef BATCHD_DAEMON_ENGINE_BINDING_H
#define BATCHD_DAEMON_ENGINE_BINDING_H

#include "common/error.h"
#include "daemon/core/job.h"

struct engine;

/* How many there are that jobs can be bound to is looked at when a worker says which it can use,
 * and every 10 seconds while there are fewer than at the start of the daemon: processors were taken
 * off, are not batchd's any more, or not its workers'. The scheduler counts with that
 * (RESOURCE_BOUND): what there are too few for waits as for any resource. While there is no worker
 * what the last said holds, unless there is another spawner, or batchd's own are others; for 10
 * minutes, since a unit of theirs may have got more: then all count again until one has said it. */
void engine_look_at_bindable(struct engine *engine);
/* The scheduler has found room; whether it is there at this worker now. False: the scheduler knows
 * that it is not, or the worker makes way for one that may use more. */
bool engine_may_bind(struct engine *engine, const struct job_facts *facts, uint64_t worker);
/* It is put off for a while: workers are idle, and none of them binds, since an older spawner goes
 * on over an upgrade. What goes behind it may start. It counts as waiting since when it did. */
void engine_put_off_binding(struct engine *engine, struct job *job);
/* Then, of one that starts, when its GPUs are chosen: some near to these. 0 or -1. */
int engine_bind(const struct engine *engine, const struct job_facts *facts,
                struct job_status *status, struct error *err);

/* What a job lacks that is put off; NULL: it is not. */
const char *engine_lacks_binding(const struct job *job);

#endif
