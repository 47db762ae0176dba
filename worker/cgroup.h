/* A control group (v2) for each worker below the spawner's own, which systemd delegates to it. It
 * holds the worker and its job's whole tree, so that the tree can be ended, and seen to be gone,
 * also when the spawner that knew it by parentage is dead. Which one it is stands in
 * STATE/workers/N/cgroup, for a later spawner. Without a delegated group there is none: then
 * parentage alone decides (worker/tree.h). Paths are absolute, made here, and owned by the caller.
 */
#ifndef BATCHD_WORKER_CGROUP_H
#define BATCHD_WORKER_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* Our own group; NULL: there is none that we may divide. */
char *cgroup_own(void);
/* Makes the worker's group below `own`; NULL when that cannot be done. */
char *cgroup_make(const char *own, uint64_t worker);
/* Puts the calling process into it: makes system calls only, so it may follow a fork. 0 or -1. */
int cgroup_enter(const char *group);
/* True when some process is in it or below it. */
bool cgroup_populated(const char *group);
/* Kills all that is in it. 1: nothing is in it, or it is gone, which only an empty one can be;
 * 0: not yet; -1 with errno: nobody can tell. */
int cgroup_sweep(const char *group);
/* Removes it if it is empty. */
void cgroup_remove(const char *group);

#endif
