/* The folder of one worker, STATE/workers/N (common/worker_protocol.h), seen by whoever may change
 * it: the spawner in system mode, batchd in user mode. */
#ifndef BATCHD_COMMON_WORKER_FOLDER_H
#define BATCHD_COMMON_WORKER_FOLDER_H

#include <stdint.h>

/* Opens it below the folder of all workers; follows no link. A descriptor, or -1 with errno. */
int worker_folder_open(int workers_fd, uint64_t worker);

/* Takes its lock without waiting. A descriptor that holds it; -1 with errno: EWOULDBLOCK while the
 * worker or its process tree lives, ENOENT without a lock file. */
int worker_folder_lock(int folder_fd);

/* Removes it with all that belongs in it. Only when its lock is free, so never under a worker that
 * lives; a file that is none of a worker's makes it stay. 0 (also when it is not there), -1 with
 * errno. */
int worker_folder_remove(int workers_fd, uint64_t worker);

#endif
