/* Memory that others than jobs have, and the job that asks for more than they leave. */
#include "daemon/core/scheduler.h"
#include "daemon/core/scheduler_internal.h"

static uint64_t less(uint64_t amount, uint64_t by)
{
    return amount > by ? amount - by : 0;
}

/* It asks for more memory than would be there if nothing ran: others have it. */
static bool exceeds(const struct scheduler *scheduler, const struct resources *wanted)
{
    return wanted->amount[RESOURCE_MEMORY] >
           less(scheduler->machine.total.amount[RESOURCE_MEMORY], scheduler->elsewhere);
}

/* To wait for what others do could be for ever. */
bool scheduler_may_start_alone(const struct scheduler *scheduler, const struct job *job)
{
    const struct resources *wanted = scheduler_wanted(scheduler, job);
    return exceeds(scheduler, wanted) && running_set_is_empty(&scheduler->running) &&
           (scheduler->reserved == NULL || scheduler->reserved == job) &&
           (!gpu_pool_asked(wanted) || gpu_pool_fits(&scheduler->gpus, wanted)) &&
           scheduler_ever_fits(scheduler, job);
}

/* All of the machine when it starts alone. */
struct resources scheduler_room_of(const struct scheduler *scheduler,
                                   const struct resources *wanted, struct occupancy *machine)
{
    struct resources room = *wanted;
    uint64_t *memory = &machine->total.amount[RESOURCE_MEMORY];
    *memory = less(*memory, scheduler->elsewhere);
    if (exceeds(scheduler, wanted)) {
        *memory = wanted->amount[RESOURCE_MEMORY];
        room.amount[RESOURCE_CPUS] = machine->total.amount[RESOURCE_CPUS];
    }
    return room;
}

void scheduler_count_free(struct scheduler *scheduler)
{
    resources_left(&scheduler->machine.total, &scheduler->machine.used, &scheduler->unused);
    scheduler->limits.free = scheduler->unused;
    scheduler->limits.free.amount[RESOURCE_MEMORY] =
        less(scheduler->unused.amount[RESOURCE_MEMORY], scheduler->elsewhere);
}

void scheduler_set_elsewhere(struct scheduler *scheduler, uint64_t memory_bytes)
{
    scheduler->elsewhere = memory_bytes;
    scheduler_count_free(scheduler);
}

uint64_t scheduler_elsewhere(const struct scheduler *scheduler)
{
    return scheduler->elsewhere;
}

bool scheduler_exceeds(const struct scheduler *scheduler, const struct job *job)
{
    return exceeds(scheduler, scheduler_wanted(scheduler, job));
}
