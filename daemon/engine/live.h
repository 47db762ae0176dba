/* What the api shows of a job while it runs. */
#ifndef BATCHD_DAEMON_ENGINE_LIVE_H
#define BATCHD_DAEMON_ENGINE_LIVE_H

#include "common/job_usage.h"
#include "common/worker_protocol.h"

struct engine;

/* What it used when its worker looked last, and when that was (wall); NULL: nothing was told.
 * Borrowed. */
const struct job_usage *engine_usage(const struct engine *engine, const struct attempt_id *id,
                                     int64_t *ret_at);

#endif
