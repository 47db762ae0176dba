/* Words of the pool that its own files need too (pool_workers.h). */
#ifndef BATCHD_DAEMON_EXEC_POOL_OPTIONS_H
#define BATCHD_DAEMON_EXEC_POOL_OPTIONS_H

#include <stdint.h>

struct pool_options {
    const char *state_dir;     /* borrowed for life, as the next */
    const char *worker_binary; /* NULL: the spawner is somebody else's (systemd's) to start */
    uint32_t watch_ms;         /* workers tell so often what their job uses; 0: never */
    uint32_t prefetch;         /* at most so many jobs are handed over behind the running one */
    uint64_t batch_target_us;  /* and no more than it does in this time */
};

enum worker_state { WORKER_WANTED, WORKER_READY, WORKER_LEAVING, WORKER_GONE, WORKER_STATE_COUNT };

#endif
