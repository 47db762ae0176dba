/* The control group of the job that a worker runs, or of its server: a new one for each, below the
 * worker's (worker/cgroup.h), so that its limits and its counts are its own. In it the job is
 * halted and killed as a whole by the kernel. Where the worker has no group there is none: all
 * calls then say that they did nothing. */
#ifndef BATCHD_WORKER_JOB_GROUP_H
#define BATCHD_WORKER_JOB_GROUP_H

#include "common/cpu_list.h"
#include "common/job_limits.h"
#include "common/job_usage.h"
#include "common/worker_protocol.h"

#include <stdbool.h>

struct job_group;

/* `worker_group` is the path of the worker's; NULL: it has none. `name`: below that, borrowed. */
struct job_group *job_group_new(const char *worker_group, const char *name);
void job_group_free(struct job_group *group);

/* A new, empty group. `memory_bytes`: what it may have, if memory can be limited here; 0: no limit.
 */
void job_group_begin(struct job_group *group, uint64_t memory_bytes,
                     const struct job_limits *limits);
/* Weights are the worker's group's, which is what stands beside the groups of others. The worker is
 * in it, too: those of no limits are for between jobs, or it would be as slow as the job before. */
void job_group_weigh(struct job_group *group, const struct job_limits *limits);
/* What is in it runs on these alone, where the group has that controller: its user cannot widen
 * that. An empty set: on any. */
void job_group_bind(const struct job_group *group, const struct cpu_list *cpus);
/* For clone3: the folder of the group, or -1. Ours to close. */
int job_group_fd(const struct job_group *group);
/* True when that was done. */
bool job_group_freeze(const struct job_group *group, bool frozen);
bool job_group_kill(const struct job_group *group);
/* Puts what it used so far in the place of what wait4 said. True when the kernel killed some of it
 * for want of memory. */
bool job_group_usage(const struct job_group *group, struct job_exit *end);
/* What it uses now; the peak is 0 and of no source where the kernel keeps none. False: there is no
 * such group, or it counts nothing. */
bool job_group_sample(const struct job_group *group, struct job_usage *ret);
/* Of a group that had other jobs before, whose peak and whose files in the cache it has, too:
 * without these. */
bool job_group_sample_server(const struct job_group *group, struct job_usage *ret);
/* When nothing is in it any more. */
void job_group_end(struct job_group *group);

#endif
