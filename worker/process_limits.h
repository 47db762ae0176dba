/* What the limits of a job (common/job_limits.h) mean for its first process, and so for all that
 * it starts: niceness, priority on disks, and rlimits. */
#ifndef BATCHD_WORKER_PROCESS_LIMITS_H
#define BATCHD_WORKER_PROCESS_LIMITS_H

#include "common/cpu_list.h"
#include "common/job_limits.h"

/* Of the calling process, between fork and exec: system calls alone. `memory_bytes` is what the job
 * asked for when nothing else bounds it, else 0. 0, or -1 with errno: a limit that must hold cannot
 * be set. Niceness and disks are no such limit: a kernel, or a container, may do without. */
int process_limits_set(const struct job_limits *limits, uint64_t memory_bytes);
/* The same of the processors that it may run on; an empty set: as its worker. */
int process_limits_bind(const struct cpu_list *cpus);

#endif
