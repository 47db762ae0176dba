#include "daemon/core/limit_policy.h"

int limit_policy_check(const struct limit_policy *policy, const struct job_limits *asked,
                       struct error *err)
{
    char given[JOB_IO_PRIORITY_BYTES], bound[JOB_IO_PRIORITY_BYTES];
    if (policy->pids != 0 && asked->pids > policy->pids)
        return error_set_field(err, "pids", "pids is %llu; limits.pids lets a job have %llu",
                               (unsigned long long)asked->pids, (unsigned long long)policy->pids);
    if (asked->nice != 0 && asked->nice < policy->nice)
        return error_set_field(err, "nice", "nice is %u; limits.nice makes it at least %u",
                               asked->nice, policy->nice);
    if (asked->io_priority == JOB_IO_NONE || asked->io_priority >= policy->io_priority)
        return 0;
    job_io_priority_format(asked->io_priority, given);
    job_io_priority_format(policy->io_priority, bound);
    return error_set_field(err, "io_priority",
                           "io_priority is %s; limits.io_priority lets a job have %s or less",
                           given, bound);
}

/* The lesser of two bounds, of which 0 is none. */
static uint64_t lesser(uint64_t a, uint64_t b)
{
    return b == 0 || (a != 0 && a < b) ? a : b;
}

static uint8_t greater(uint8_t a, uint8_t b)
{
    return a > b ? a : b;
}

static uint32_t weight_of(uint32_t weight, uint32_t cpus)
{
    const uint64_t whole = (uint64_t)weight * cpus;
    return whole > JOB_WEIGHT_MAX ? JOB_WEIGHT_MAX : (uint32_t)whole;
}

/* Without an overflow for whatever fits in 57 bits. */
static uint64_t part_of(uint64_t bytes, uint32_t percent)
{
    return bytes / 100 * percent + bytes % 100 * percent / 100;
}

struct job_limits limit_policy_settle(const struct limit_policy *policy,
                                      const struct job_limits *asked, uint32_t cpus,
                                      uint64_t memory_bytes)
{
    return (struct job_limits){.pids = lesser(asked->pids, policy->pids),
                               .memory_high_bytes = part_of(memory_bytes, policy->high_percent),
                               .has_swap = memory_bytes != 0,
                               .swap_bytes = part_of(memory_bytes, policy->swap_percent),
                               .open_files = policy->open_files,
                               .file_bytes = policy->file_bytes,
                               .cpu_weight = weight_of(policy->cpu_weight, cpus),
                               .io_weight = policy->io_weight,
                               .nice = greater(asked->nice, policy->nice),
                               .io_priority = greater(asked->io_priority, policy->io_priority),
                               .bounds_data = policy->bounds_data};
}
