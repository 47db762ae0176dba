/* Processors that jobs can be bound to come and go, as GPUs do; and what cannot start whatever
 * ends, because these or those are not there. */
#include "daemon/core/scheduler.h"
#include "daemon/core/scheduler_internal.h"

struct bound_change {
    uint64_t before, after;
};

static bool is_changed_for(void *arg, const struct resources *wanted)
{
    const struct bound_change *change = arg;
    const uint64_t asked = wanted->amount[RESOURCE_BOUND];
    return (asked <= change->before) != (asked <= change->after);
}

/* What runs may have some that are no longer there: then less is free than could be. */
bool scheduler_see_bound(struct scheduler *scheduler, uint64_t total, uint64_t idle)
{
    const uint64_t most = scheduler->machine.used.amount[RESOURCE_BOUND] + idle;
    uint64_t *there = &scheduler->machine.total.amount[RESOURCE_BOUND];
    struct bound_change change = {*there, total < most ? total : most};
    if (change.before == change.after)
        return false;
    *there = change.after;
    scheduler_count_free(scheduler);
    return request_table_any(scheduler->requests, is_changed_for, &change);
}

void scheduler_review(struct scheduler *scheduler, struct job *job, int64_t now)
{
    const bool fits = scheduler_ever_fits(scheduler, job);
    if (job->queued && !fits && scheduler_asks_for_what_goes(scheduler_wanted(scheduler, job))) {
        scheduler_unqueue(scheduler, job);
        job->parked = true;
    } else if (job->parked && fits) {
        scheduler_queue(scheduler, job, now);
    }
}
