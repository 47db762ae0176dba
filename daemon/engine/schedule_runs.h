/* Which jobs that have not ended are runs of schedules. With a schedule that queues there may be
 * many of one; nearly always there are a few in all. */
#ifndef BATCHD_DAEMON_ENGINE_SCHEDULE_RUNS_H
#define BATCHD_DAEMON_ENGINE_SCHEDULE_RUNS_H

#include <stddef.h>
#include <stdint.h>

struct schedule_run {
    uint64_t job, schedule; /* ids */
};

struct schedule_runs {
    struct schedule_run *run; /* owned */
    size_t count;
};

void schedule_runs_add(struct schedule_runs *runs, uint64_t job, uint64_t schedule);
/* It has ended: the schedule's id; 0: it is none's. */
uint64_t schedule_runs_take(struct schedule_runs *runs, uint64_t job);
void schedule_runs_done(struct schedule_runs *runs);

#endif
