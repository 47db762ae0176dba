#include "daemon/engine/schedule_runs.h"

#include "common/alloc.h"

#include <stdlib.h>

/* So many that were taken may stay, whatever the others are. */
#define TAKEN_MIN 64U

void schedule_runs_add(struct schedule_runs *runs, uint64_t job, uint64_t schedule)
{
    if (runs->count == runs->room) {
        runs->room = runs->room == 0 ? 16 : 2 * runs->room;
        runs->run = xreallocarray(runs->run, runs->room, sizeof(*runs->run));
    }
    runs->run[runs->count++] = (struct schedule_run){.job = job, .schedule = schedule};
}

static int by_job(const void *a, const void *b)
{
    const struct schedule_run *one = a;
    const struct schedule_run *other = b;
    return (one->job > other->job) - (one->job < other->job);
}

void schedule_runs_sort(struct schedule_runs *runs)
{
    if (runs->count > 0)
        qsort(runs->run, runs->count, sizeof(*runs->run), by_job);
}

/* Each that is kept is moved once for at least one that was taken. */
static void drop_taken(struct schedule_runs *runs)
{
    size_t kept = 0;
    if (runs->taken < TAKEN_MIN || runs->taken < runs->count / 2)
        return;
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->run[i].schedule != 0)
            runs->run[kept++] = runs->run[i];
    }
    runs->count = kept;
    runs->taken = 0;
}

uint64_t schedule_runs_take(struct schedule_runs *runs, uint64_t job)
{
    const struct schedule_run key = {.job = job};
    struct schedule_run *run =
        runs->count == 0 ? NULL : bsearch(&key, runs->run, runs->count, sizeof(*runs->run), by_job);
    if (run == NULL || run->schedule == 0)
        return 0;
    const uint64_t schedule = run->schedule;
    run->schedule = 0;
    runs->taken++;
    drop_taken(runs);
    return schedule;
}

void schedule_runs_done(struct schedule_runs *runs)
{
    free(runs->run);
    *runs = (struct schedule_runs){.run = NULL};
}
