/* A control group (v2) for each worker: BASE/worker-N, with the worker itself in its "worker" and
 * the job that it runs in its "job" (worker/job_group.h; what serves it in "server"), so that the
 * tree can be ended, and seen to be gone, also when the spawner that knew it by parentage is dead.
 * Which one it is stands in STATE/workers/N/cgroup, for a later spawner.
 *
 * BASE is the group of batchd-jobs.service, which systemd delegates to us and in which nothing else
 * is but its keeper, in a group of its own: only there can memory be limited, since a group that
 * hands controllers on may hold no process, and systemd puts each new spawner into the spawner's
 * own. Without that unit BASE is the spawner's. A person's own batchd has them in that unit of the
 * manager of their services, or none. Without a delegated group there is none: then parentage alone
 * decides (worker/tree.h). Paths are absolute, made here, and owned by the caller.
 */
#ifndef BATCHD_WORKER_CGROUP_H
#define BATCHD_WORKER_CGROUP_H

#include "common/cpu_list.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#define CGROUP_WORKER_NAME "worker"
#define CGROUP_JOB_NAME "job"
#define CGROUP_SERVER_NAME "server"

/* For the spawner, whose current folder is in the state folder: where workers have theirs; NULL:
 * there is none that we may divide. */
char *cgroup_base(bool system_mode);
/* For the worker of this id: its own; NULL: it has none. */
char *cgroup_of_worker(uint64_t worker);
/* The processors that we are kept to (sched_setaffinity(2), as by CPUAffinity= of systemd.exec(5)
 * and AllowedCPUs= of our unit) and `base` is not; empty: all that are online, and that it has. No
 * base (NULL) has all. */
void cgroup_own_cpus(const char *base, struct cpu_list *ret);
/* Makes the worker's group below `base`, kept to these processors; NULL when that cannot be done.
 * Before Linux 6.2 what comes into a group with cpusets has its affinity no longer. */
char *cgroup_make(const char *base, uint64_t worker, const struct cpu_list *cpus);
/* Makes the calling process the worker in it: may follow a fork. 0 or -1. */
int cgroup_enter(const char *group);
/* The processors that our own group has, or the next above that tells (cpuset); empty: none does.
 */
void cgroup_cpus(struct cpu_list *ret);
/* True when some process is in it or below it. */
bool cgroup_populated(const char *group);
/* Kills all that is in it. 1: nothing is in it, or it is gone, which only an empty one can be;
 * 0: not yet; -1 with errno: nobody can tell. */
int cgroup_sweep(const char *group);
/* Removes it, and what is below it, if it is empty. */
void cgroup_remove(const char *group);
/* To open a group by its name in another. */
#define CGROUP_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Removes what is below this one and empty, whoever made it; no more at a time than somebody has
 * use for. */
void cgroup_remove_below(int group_fd);

#endif
