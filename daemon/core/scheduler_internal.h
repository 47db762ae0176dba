/* What the files of the scheduler share; nobody else includes this. */
#ifndef BATCHD_DAEMON_CORE_SCHEDULER_INTERNAL_H
#define BATCHD_DAEMON_CORE_SCHEDULER_INTERNAL_H

#include "daemon/core/queue.h"
#include "daemon/core/running_set.h"

#define SCHEDULER_LANES 255U /* SCHEDULER_QUEUES */

/* A queue as a round sees it. */
struct lane {
    struct queue *queue; /* NULL: none of this number */
    /* In this round: nothing more of it fits, and its first does not. */
    bool closed, blocked;
    /* Its starts by its weight, in parts of TURN. Among queues with as much running the one with
     * least goes first, or where few jobs run at a time the lower numbers had all the turns. */
    uint64_t served;
};

struct scheduler {
    struct occupancy machine;
    struct gpu_pool gpus;    /* its GPUs, one by one */
    bool gpus_changed;       /* for what ever fits */
    struct resources whole;  /* what it has in all, without what was lent */
    struct resources unused; /* of it nobody runs with; some of it may be elsewhere */
    uint64_t elsewhere;      /* memory that others than jobs have */
    struct request_table *requests;
    struct fair_share *share;
    struct lane lanes[SCHEDULER_LANES];
    unsigned lane_count; /* numbers in use are below it */
    /* It was reserved for and has started nothing since: it goes first, or the small jobs of others
     * would take what is being kept for it as soon as they have less running. NULL: none. */
    struct lane *owed;
    uint64_t owed_job; /* the one that was reserved for; 0: not known, after a restart */
    bool owed_left;    /* it does not wait in that queue now: nothing is owed */
    struct running_set running;
    /* The round: free is kept over rounds too. */
    int64_t now;
    struct ready_limits limits;
    const struct job *reserved; /* NULL: nothing was blocked so far */
    int64_t reserved_at;
};

/* scheduler_memory.c: what is free was changed; whether the job is one that starts when nothing
 * else runs, and nothing does; and what a job needs of the machine to start, which becomes what
 * there is for jobs. */
void scheduler_count_free(struct scheduler *scheduler);
bool scheduler_may_start_alone(const struct scheduler *scheduler, const struct job *job);
struct resources scheduler_room_of(const struct scheduler *scheduler,
                                   const struct resources *wanted, struct occupancy *machine);
/* Whether there may be more, or less, of what it asks for later: what does not fit comes back. */
static inline bool scheduler_asks_for_what_goes(const struct resources *wanted)
{
    return gpu_pool_asked(wanted) || wanted->amount[RESOURCE_BOUND] > 0;
}
/* scheduler_gpus.c: of what has ended. */
void scheduler_give_gpus_back(struct scheduler *scheduler, uint64_t set,
                              const struct resources *wanted);

#endif
