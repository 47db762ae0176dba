/* What the machine's settings ([limits]) make of the limits that a job asks for. They are default
 * and bound: a job may only stand back further than it is told to, never less. Pure. */
#ifndef BATCHD_DAEMON_CORE_LIMIT_POLICY_H
#define BATCHD_DAEMON_CORE_LIMIT_POLICY_H

#include "common/error.h"
#include "common/job_limits.h"

struct limit_policy {
    uint64_t memory_bytes; /* of a job that asks for none; 0: no limit */
    uint64_t pids;         /* 0: no limit */
    uint64_t open_files, file_bytes;
    uint32_t cpu_weight;   /* for each cpu that was asked for; 0: all jobs alike */
    uint32_t io_weight;    /* of each job; 0: all alike. Of both the nice and gentle have less */
    uint32_t high_percent; /* of the memory; 0: no such mark */
    uint32_t swap_percent; /* as much again, of the memory, may be swapped */
    uint8_t nice, io_priority;
    bool bounds_data;
    bool bound; /* to processors of its own, a job that does not say: no bound, only a default */
};

/* 0, or -1 with ERROR_INVALID naming the field: what is asked for is more than the settings let a
 * job have. */
int limit_policy_check(const struct limit_policy *policy, const struct job_limits *asked,
                       struct error *err);

/* What the job is given: that asked for (of before a change of the settings maybe too much of it),
 * for this many cpus and this limit of memory (0: it has none). */
struct job_limits limit_policy_settle(const struct limit_policy *policy,
                                      const struct job_limits *asked, uint32_t cpus,
                                      uint64_t memory_bytes);

#endif
