/* Since when the job that waits longest in each queue could have started, for who looks from
 * outside: looked for bit by bit, so that a million waiting jobs cost nobody any time. */
#ifndef BATCHD_DAEMON_ENGINE_OLDEST_H
#define BATCHD_DAEMON_ENGINE_OLDEST_H

#include "daemon/core/scheduler.h"

#include <stdint.h>

struct engine;

/* Times are by the wall clock, microseconds; 0: none waits. */
struct oldest {
    uint32_t at;                       /* how far this pass is (jobset_look) */
    int64_t passing[SCHEDULER_QUEUES]; /* found by it so far */
    int64_t found[SCHEDULER_QUEUES];   /* by the last whole one */
};

/* Looks at the next jobs; to be called now and then. */
void engine_look_for_oldest(struct engine *engine);
/* As the last pass found it; once that job has started it may be behind until the next is done. */
int64_t engine_oldest_in(const struct engine *engine, uint8_t queue);

#endif
