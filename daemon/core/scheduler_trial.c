/* Trials: the scheduler of a copy of the daemon is used up and put back (start_changes.c). */
#include "daemon/core/scheduler.h"
#include "daemon/core/scheduler_internal.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

void scheduler_lend(struct scheduler *scheduler, enum resource_kind kind, uint64_t amount)
{
    scheduler->machine.total.amount[kind] += amount;
    if (kind == RESOURCE_GPUS)
        scheduler->gpus.lent += (uint32_t)amount;
    if (kind == RESOURCE_CPUS) /* to be bound to as well */
        scheduler->machine.total.amount[RESOURCE_BOUND] += amount;
    scheduler_count_free(scheduler);
}

void scheduler_take_back(struct scheduler *scheduler, enum resource_kind kind, uint64_t amount)
{
    scheduler->machine.total.amount[kind] -= amount;
    if (kind == RESOURCE_GPUS)
        scheduler->gpus.lent -= (uint32_t)amount;
    if (kind == RESOURCE_CPUS)
        scheduler->machine.total.amount[RESOURCE_BOUND] -= amount;
    scheduler_count_free(scheduler);
}

struct scheduler_mark {
    struct scheduler was;     /* of its pointers only those to lanes and jobs are looked at */
    struct fair_share *share; /* a copy, owned */
};

struct scheduler_mark *scheduler_mark(const struct scheduler *scheduler)
{
    struct scheduler_mark *mark = xmalloc(sizeof(*mark));
    mark->was = *scheduler;
    mark->share = fair_share_copy(scheduler->share);
    return mark;
}

void scheduler_mark_free(struct scheduler_mark *mark)
{
    if (mark != NULL)
        fair_share_free(mark->share);
    free(mark);
}

void scheduler_put_back(struct scheduler *scheduler, const struct scheduler_mark *mark)
{
    memcpy(scheduler->lanes, mark->was.lanes, sizeof(scheduler->lanes));
    scheduler->owed = mark->was.owed;
    scheduler->owed_job = mark->was.owed_job;
    scheduler->owed_left = mark->was.owed_left;
    scheduler->reserved = mark->was.reserved;
    scheduler->reserved_at = mark->was.reserved_at;
    fair_share_put_back(scheduler->share, mark->share);
}
