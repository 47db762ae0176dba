#include "daemon/engine/schedule_runs.h"

#include "common/alloc.h"

#include <stdlib.h>

void schedule_runs_add(struct schedule_runs *runs, uint64_t job, uint64_t schedule)
{
    runs->run = xreallocarray(runs->run, runs->count + 1, sizeof(*runs->run));
    runs->run[runs->count++] = (struct schedule_run){.job = job, .schedule = schedule};
}

uint64_t schedule_runs_take(struct schedule_runs *runs, uint64_t job)
{
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->run[i].job != job)
            continue;
        const uint64_t schedule = runs->run[i].schedule;
        runs->run[i] = runs->run[--runs->count];
        return schedule;
    }
    return 0;
}

void schedule_runs_done(struct schedule_runs *runs)
{
    free(runs->run);
    *runs = (struct schedule_runs){.run = NULL};
}
