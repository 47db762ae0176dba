/* A control group (v2) for each worker below the spawner's own, which systemd delegates to it. It holds
 * the worker and its job's whole tree, so that the tree can be ended, and seen to be gone, also when
 * the spawner that knew it by parentage is dead. Without a delegated cgroup all of this answers "no":
 * then parentage alone decides (worker/tree.h). */
#ifndef BATCHD_WORKER_CGROUP_H
#define BATCHD_WORKER_CGROUP_H

#include <stdint.h>

/* Opens our own cgroup's folder. A descriptor, or -1: there is none that we may use. */
int cgroup_open_own(void);
/* Makes the worker's cgroup and returns a descriptor of its cgroup.procs; -1 without one. */
int cgroup_make(int own_fd, uint64_t worker);
/* Puts the calling process into the cgroup whose cgroup.procs this is. 0 or -1. */
int cgroup_enter(int procs_fd);
/* Kills all that is in the worker's cgroup. 1: it is empty; 0: not yet; -1: there is no such cgroup. */
int cgroup_sweep(int own_fd, uint64_t worker);
/* Removes the worker's empty cgroup, if there is one. */
void cgroup_remove(int own_fd, uint64_t worker);

#endif
