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

/* The kernel's weights of nice 0 to 19 (sched_prio_to_weight of kernel/sched/core.c): between two
 * groups their weights count, and not how nice what is in them is. */
static const uint32_t nice_weights[JOB_NICE_MAX + 1] = {
    1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15};

/* That part of a weight; of none (0), if it is less than the whole, of what all else has. */
static uint32_t share_of(uint32_t weight, uint32_t part, uint32_t whole)
{
    const uint64_t base = weight == 0 ? JOB_WEIGHT_DEFAULT : weight;
    const uint64_t share = base * part / whole;
    return part == whole ? weight : share == 0 ? 1 : (uint32_t)share;
}

static uint32_t cpu_weight(const struct limit_policy *policy, uint32_t cpus, uint8_t nice)
{
    const uint64_t whole = (uint64_t)policy->cpu_weight * cpus;
    const uint32_t weight = whole > JOB_WEIGHT_MAX ? JOB_WEIGHT_MAX : (uint32_t)whole;
    return share_of(weight, nice_weights[nice < JOB_NICE_MAX ? nice : JOB_NICE_MAX],
                    nice_weights[0]);
}

/* As BFQ has it, whose weight of best-effort:N is 8 - N; who has no priority of its own is at 4.
 * For idle, which does not count between groups, the least there is. */
static uint32_t io_weight(const struct limit_policy *policy, uint8_t priority)
{
    if (priority >= JOB_IO_IDLE)
        return 1;
    const uint32_t part = JOB_IO_IDLE - priority;
    return share_of(policy->io_weight, priority == JOB_IO_NONE || part > 4 ? 4 : part, 4);
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
    const uint8_t nice = greater(asked->nice, policy->nice);
    const uint8_t priority = greater(asked->io_priority, policy->io_priority);
    return (struct job_limits){.pids = lesser(asked->pids, policy->pids),
                               .memory_high_bytes = part_of(memory_bytes, policy->high_percent),
                               .has_swap = memory_bytes != 0,
                               .swap_bytes = part_of(memory_bytes, policy->swap_percent),
                               .open_files = policy->open_files,
                               .file_bytes = policy->file_bytes,
                               .cpu_weight = cpu_weight(policy, cpus, nice),
                               .io_weight = io_weight(policy, priority),
                               .nice = nice,
                               .io_priority = priority,
                               .bounds_data = policy->bounds_data};
}
