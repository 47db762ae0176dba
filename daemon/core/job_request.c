#include "daemon/core/job_request.h"

#define MEBIBYTE (UINT64_C(1) << 20)

uint64_t job_whole_mib(uint64_t bytes)
{
    uint64_t rest = bytes % MEBIBYTE;
    return bytes + (rest > 0 ? MEBIBYTE - rest : 0);
}

struct resources job_facts_wanted(const struct job_facts *facts, const struct resource_names *names)
{
    struct resources wanted = {.amount = {[RESOURCE_CPUS] = facts->cpus,
                                          [RESOURCE_MEMORY] = job_whole_mib(facts->memory_bytes),
                                          [RESOURCE_GPUS] = facts->gpus,
                                          [RESOURCE_DISK] = job_whole_mib(facts->disk_bytes)}};
    resource_counters_add(names, facts->counters, &wanted);
    return wanted;
}
