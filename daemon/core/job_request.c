#include "daemon/core/job_request.h"

#include "common/parse.h"

#include <stdio.h>

uint64_t job_whole_mib(uint64_t bytes)
{
    uint64_t rest = bytes % JOB_MIB;
    return bytes + (rest > 0 ? JOB_MIB - rest : 0);
}

uint64_t job_memory_asked(const struct job_facts *facts, const struct job_status *status)
{
    return facts->memory_bytes > status->memory_bytes ? facts->memory_bytes : status->memory_bytes;
}

uint64_t job_memory_grown(uint64_t asked_bytes, uint64_t used_bytes, uint64_t cap_bytes)
{
    uint64_t from = asked_bytes > 0 ? asked_bytes : used_bytes;
    if (from >= cap_bytes)
        from = cap_bytes;
    uint64_t grown = job_whole_mib(from + from / 2);
    if (grown > cap_bytes)
        grown = cap_bytes;
    return grown > asked_bytes ? grown : 0;
}

struct resources job_facts_wanted(const struct job_facts *facts, const struct resource_names *names)
{
    struct resources wanted = {
        .amount = {[RESOURCE_CPUS] = facts->cpus,
                   [RESOURCE_MEMORY] = job_whole_mib(facts->memory_bytes),
                   [RESOURCE_GPUS] = facts->gpus,
                   [RESOURCE_DISK] = job_whole_mib(facts->disk_bytes),
                   [RESOURCE_BOUND] = facts->bound ? facts->cpus : 0,
                   [RESOURCE_GPU_SHARE] = facts->gpu_share,
                   [RESOURCE_GPU_MEMORY] = job_whole_mib(facts->gpu_memory_bytes)}};
    resource_counters_add(names, facts->counters, &wanted);
    return wanted;
}

/* ---- what never fits ---- */

static void format_amount(enum resource_kind kind, uint64_t amount, char *ret, size_t bytes)
{
    if (kind == RESOURCE_MEMORY || kind == RESOURCE_DISK)
        format_size(amount, ret, bytes);
    else
        (void)snprintf(ret, bytes, "%llu", (unsigned long long)amount);
}

/* As it was written: memory and disk are counted in whole MiB. */
static uint64_t asked_for(const struct job_facts *facts, const struct resources *wanted,
                          enum resource_kind kind)
{
    if (kind == RESOURCE_MEMORY)
        return facts->memory_bytes;
    return kind == RESOURCE_DISK ? facts->disk_bytes : wanted->amount[kind];
}

/* A counter that the job asks for and the configuration no longer names. */
static void find_removed(const struct job_facts *facts, const struct resource_names *names,
                         struct job_misfit *ret)
{
    const char *counters = facts->counters;
    while (resource_counters_next(&counters, ret->name, &ret->requested) &&
           resource_names_find(names, ret->name) >= 0)
        continue;
    ret->largest = 0;
}

/* The configuration may give jobs more cpus than there are processors. */
static void say_not_bound(uint64_t cpus, uint64_t most, struct job_misfit *ret)
{
    (void)snprintf(ret->name, sizeof(ret->name), "cpus");
    ret->requested = cpus;
    ret->largest = most;
    (void)snprintf(ret->text, sizeof(ret->text),
                   "cpus = %llu with cpu_bind = cores never fits: jobs can be bound to %llu "
                   "processor%s here",
                   (unsigned long long)cpus, (unsigned long long)most, most == 1 ? "" : "s");
}

bool job_never_fits(const struct job_facts *facts, const struct resource_names *names,
                    const struct resources *total, const struct resources *had,
                    struct job_misfit *ret)
{
    struct resources wanted = job_facts_wanted(facts, names);
    char asked[32], most[32];
    unsigned kind = 0;
    if (facts->gpu_share > 0) /* of one that there is to be */
        wanted.amount[RESOURCE_GPUS] = 1;
    while (kind < RESOURCE_COUNTED && (wanted.amount[kind] <= total->amount[kind] ||
                                       (had != NULL && wanted.amount[kind] <= had->amount[kind])))
        kind++;
    if (kind == RESOURCE_COUNTED)
        return false;
    if (kind == RESOURCE_BOUND) {
        say_not_bound(facts->cpus, total->amount[kind], ret);
        return true;
    }
    if (kind == RESOURCE_REMOVED) {
        find_removed(facts, names, ret);
    } else {
        (void)snprintf(ret->name, sizeof(ret->name), "%s",
                       resource_names_word(names, (enum resource_kind)kind));
        ret->requested = asked_for(facts, &wanted, (enum resource_kind)kind);
        ret->largest = total->amount[kind];
    }
    format_amount((enum resource_kind)kind, ret->requested, asked, sizeof(asked));
    format_amount((enum resource_kind)kind, ret->largest, most, sizeof(most));
    (void)snprintf(ret->text, sizeof(ret->text),
                   "%s = %s never fits: this machine has %s (resources.%s)", ret->name, asked, most,
                   ret->name);
    return true;
}
