/* Who starts now: pure functions over waiting jobs, what runs, resources and a time. The caller
 * asks in rounds: scheduler_begin, then scheduler_next until it answers NULL. Within a round the
 * first job that does not fit is reserved for (backfill easy) once, at the earliest time it can
 * start by the estimates of what runs; what starts after it in that round ends by then or uses only
 * what is left over beside it. The daemon and the simulation run this code; the same calls give the
 * same answers. */
#ifndef BATCHD_DAEMON_CORE_SCHEDULER_H
#define BATCHD_DAEMON_CORE_SCHEDULER_H

#include "daemon/core/queue.h"
#include "daemon/core/running_set.h"

struct scheduler_options {
    struct resources total;
    struct queue_settings queue;
    int64_t half_life_us; /* of usage, for `fair`; 0: usage never decays */
};

struct scheduler;

struct scheduler *scheduler_new(const struct scheduler_options *options);
void scheduler_free(struct scheduler *scheduler);

/* A job that waits from now on: the fields of sched_job above `left`, and uid and level, are the
 * caller's to fill, `wanted` fills the rest. It must fit into the whole machine. */
void scheduler_add(struct scheduler *scheduler, struct sched_job *job,
                   const struct resources *wanted, int64_t now);
/* A waiting job that will not start. */
void scheduler_withdraw(struct scheduler *scheduler, struct sched_job *job);

void scheduler_begin(struct scheduler *scheduler, int64_t now);
/* The next job to start in this round: it is counted as running from the round's time on, until
 * scheduler_end. NULL: the round is over. */
struct sched_job *scheduler_next(struct scheduler *scheduler);
void scheduler_end(struct scheduler *scheduler, struct sched_job *job, int64_t now);

/* When the order of what waits changes next by itself (ageing, max_delay), or NEVER: worth a round
 * then. */
int64_t scheduler_next_alarm(const struct scheduler *scheduler);

size_t scheduler_waiting(const struct scheduler *scheduler);
const struct resources *scheduler_free_resources(const struct scheduler *scheduler);
/* For whom the last round reserved, and when it is to start; NULL: for nobody. */
const struct sched_job *scheduler_reserved(const struct scheduler *scheduler, int64_t *ret_at);
struct fair_share *scheduler_share(const struct scheduler *scheduler);

#endif
