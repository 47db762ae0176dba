/* The scheduler's GPUs: which are there, and which a job gets. */
#include "daemon/core/scheduler.h"
#include "daemon/core/scheduler_internal.h"

struct resources scheduler_installed(const struct scheduler *scheduler)
{
    struct resources total = scheduler->machine.total;
    total.amount[RESOURCE_GPUS] = scheduler->gpus.count;
    return total;
}

const struct gpu_pool *scheduler_gpus(const struct scheduler *scheduler)
{
    return &scheduler->gpus;
}

/* Those that are out and that nobody has are not there. */
static void count_gpus(struct scheduler *scheduler)
{
    scheduler->machine.total.amount[RESOURCE_GPUS] = gpu_pool_usable(&scheduler->gpus);
    scheduler_count_free(scheduler);
}

struct gpu_change {
    const struct gpu_pool *before, *after;
};

static bool is_changed_for(void *arg, const struct resources *wanted)
{
    const struct gpu_change *change = arg;
    return gpu_pool_asked(wanted) &&
           gpu_pool_ever_fits(change->before, wanted) != gpu_pool_ever_fits(change->after, wanted);
}

void scheduler_see_gpus(struct scheduler *scheduler, const struct gpu_pool *seen)
{
    const struct gpu_pool before = scheduler->gpus;
    const struct gpu_change change = {&before, &scheduler->gpus};
    for (uint32_t i = 0; i < scheduler->gpus.count; i++) {
        struct gpu_slot *slot = &scheduler->gpus.slot[i];
        slot->out = seen->slot[i].out;
        slot->total_bytes = seen->slot[i].total_bytes;
        slot->used_bytes = seen->slot[i].used_bytes;
        slot->foreign_bytes = seen->slot[i].foreign_bytes;
    }
    scheduler->limits.gpu_news++;
    count_gpus(scheduler);
    scheduler->gpus_changed |=
        request_table_any(scheduler->requests, is_changed_for, (void *)(uintptr_t)&change);
}

bool scheduler_gpus_changed(struct scheduler *scheduler)
{
    const bool changed = scheduler->gpus_changed;
    scheduler->gpus_changed = false;
    return changed;
}

/* Those of them that are out are gone with it. */
void scheduler_give_gpus_back(struct scheduler *scheduler, uint64_t set,
                              const struct resources *wanted)
{
    gpu_pool_give_back(&scheduler->gpus, set, wanted);
    scheduler->limits.gpu_news += set != 0; /* a share is no whole one more */
    for (uint32_t i = 0; i < scheduler->gpus.count; i++)
        scheduler->gpus_changed |= (set >> i & 1U) != 0 && scheduler->gpus.slot[i].out;
    count_gpus(scheduler);
}

uint64_t scheduler_choose_gpus(const struct scheduler *scheduler, const struct job *job)
{
    return gpu_pool_choose(&scheduler->gpus, scheduler_wanted(scheduler, job));
}
