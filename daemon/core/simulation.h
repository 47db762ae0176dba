/* A replay of jobs under a policy, with a virtual clock and the scheduler itself. At one instant
 * first all ends, then all arrivals, then rounds of starts; a job that runs for no time frees what
 * it held for another round of the same instant. The order of the starts depends on nothing but the
 * jobs and the options. Times and spans are microseconds. */
#ifndef BATCHD_DAEMON_CORE_SIMULATION_H
#define BATCHD_DAEMON_CORE_SIMULATION_H

#include "daemon/core/scheduler.h"

struct simulated_job {
    struct job sched;  /* of this the caller fills uid, level and estimate_us */
    uint64_t label;    /* how the caller calls it; order among equal submit times */
    uint64_t position; /* in the order of the caller, which decides when the labels are equal too */
    int64_t submitted_at;
    int64_t run_us; /* how long it really runs */
    uint32_t cpus;  /* at least 1, at most the capacity */
    int64_t started_at;
    uint64_t run; /* the scheduler's number while it runs */
};

/* Fills started_at of each. The jobs are sorted by submit time, label and position. */
void simulation_run(const struct scheduler_options *options, struct simulated_job *jobs,
                    size_t count);

#endif
