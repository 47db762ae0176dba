/* Which jobs that have not ended are runs of schedules. Of a schedule that queues there may be
 * millions, and they end in any order: so none is looked for from the first on. Pure. */
#ifndef BATCHD_DAEMON_ENGINE_SCHEDULE_RUNS_H
#define BATCHD_DAEMON_ENGINE_SCHEDULE_RUNS_H

#include <stddef.h>
#include <stdint.h>

struct schedule_run {
    uint64_t job, schedule; /* ids; schedule 0: it was taken */
};

struct schedule_runs {
    struct schedule_run *run; /* owned; by job */
    size_t count, room, taken;
};

/* A job that is newer than all that are there, or schedule_runs_sort() is called before the first
 * is taken. */
void schedule_runs_add(struct schedule_runs *runs, uint64_t job, uint64_t schedule);
void schedule_runs_sort(struct schedule_runs *runs);
/* It has ended: the schedule's id; 0: it is none's. */
uint64_t schedule_runs_take(struct schedule_runs *runs, uint64_t job);
void schedule_runs_done(struct schedule_runs *runs);

#endif
