/* What a job may have beside memory and time, and how it stands beside others: what its user asked
 * for is in its struct job_run, and what batchd made of that with the machine's settings
 * (daemon/core/limit_policy.h) is told to its worker, which sets it: in the job's control group
 * where it has one (worker/job_group.h), else on its processes (worker/process_limits.h). Zeroed:
 * nothing is set. */
#ifndef BATCHD_COMMON_JOB_LIMITS_H
#define BATCHD_COMMON_JOB_LIMITS_H

#include "common/error.h"
#include "common/record.h"

#include <stdbool.h>
#include <stdint.h>

/* cpu.weight and io.weight of Documentation/admin-guide/cgroup-v2.rst; without one it is 100. */
#define JOB_WEIGHT_DEFAULT 100U
#define JOB_WEIGHT_MAX 10000U
#define JOB_NICE_MAX 19U
/* What the kernel can count at all (PID_MAX_LIMIT). */
#define JOB_PIDS_MAX 4194304U

/* By rising gentleness: as its worker's; best-effort:0 to best-effort:7; idle (ioprio_set(2)). */
#define JOB_IO_NONE 0U
#define JOB_IO_BEST_EFFORT 1U
#define JOB_IO_IDLE 9U

struct job_limits {
    uint64_t pids;                  /* processes and threads at a time; 0: as the worker takes it */
    uint64_t memory_high_bytes;     /* above it the kernel takes memory back; 0: no such mark */
    uint64_t swap_bytes;            /* that it may have beside its memory, if has_swap */
    uint64_t open_files;            /* of each process; 0: as the worker has */
    uint64_t file_bytes;            /* of each file that it writes; 0: any */
    uint32_t cpu_weight, io_weight; /* 0: none */
    uint8_t nice;
    uint8_t io_priority; /* JOB_IO_... */
    uint8_t has_swap;
    /* 1: without a control group each process has no more private writable memory (RLIMIT_DATA)
     * than the job asked for. */
    uint8_t bounds_data;
};

bool job_limits_any(const struct job_limits *limits);
/* As part of a record. */
void job_limits_put(struct record_writer *writer, const struct job_limits *limits);
void job_limits_get(struct record *record, struct job_limits *ret);

/* "none", "idle", "best-effort:4"; 0, or -1 when it is none of them (the rule is in err). */
int job_io_priority_parse(const char *text, uint8_t *ret, struct error *err);
#define JOB_IO_PRIORITY_BYTES 16
void job_io_priority_format(uint8_t priority, char ret[JOB_IO_PRIORITY_BYTES]);

#endif
