#include "daemon/core/simulation.h"

#include "daemon/core/alarms.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct simulation {
    struct scheduler *scheduler;
    struct simulated_job *jobs;
    size_t count, arrived;
    struct alarms ends; /* of what runs; such a job is in no queue, so its alarm is free for this */
};

static_assert(offsetof(struct simulated_job, sched) == 0, "one is found from the other");

static struct simulated_job *whole(struct job *job)
{
    return (struct simulated_job *)job;
}

static int by_submit(const void *a, const void *b)
{
    const struct simulated_job *first = a;
    const struct simulated_job *second = b;
    if (first->submitted_at != second->submitted_at)
        return first->submitted_at < second->submitted_at ? -1 : 1;
    if (first->label != second->label)
        return first->label < second->label ? -1 : 1;
    return (first->position > second->position) - (first->position < second->position);
}

static void end_jobs(struct simulation *simulation, int64_t now)
{
    const struct alarm *end;
    while ((end = alarms_first(&simulation->ends)) != NULL && end->at <= now) {
        struct job *job = end->job;
        alarms_clear(&simulation->ends, job);
        scheduler_end(simulation->scheduler, whole(job)->run, now);
        scheduler_forget(simulation->scheduler, job);
    }
}

static void take_arrivals(struct simulation *simulation, int64_t now)
{
    for (; simulation->arrived < simulation->count; simulation->arrived++) {
        struct simulated_job *job = &simulation->jobs[simulation->arrived];
        if (job->submitted_at > now)
            break;
        struct resources wanted = {.amount = {[RESOURCE_CPUS] = job->cpus}};
        job->sched.id = simulation->arrived + 1;
        job->sched.since = job->submitted_at;
        scheduler_learn(simulation->scheduler, &job->sched, &wanted);
        scheduler_queue(simulation->scheduler, &job->sched, now);
    }
}

static void start_jobs(struct simulation *simulation, int64_t now)
{
    struct job *job;
    scheduler_begin(simulation->scheduler, now);
    while ((job = scheduler_next(simulation->scheduler)) != NULL) {
        whole(job)->started_at = now;
        whole(job)->run = scheduler_run(simulation->scheduler, job, now);
        scheduler_unqueue(simulation->scheduler, job);
        alarms_set(&simulation->ends, job, now + whole(job)->run_us);
    }
}

static bool ends_by(const struct simulation *simulation, int64_t now)
{
    const struct alarm *end = alarms_first(&simulation->ends);
    return end != NULL && end->at <= now;
}

/* NEVER: nothing happens any more. */
static int64_t next_instant(const struct simulation *simulation)
{
    const struct alarm *end = alarms_first(&simulation->ends);
    int64_t at = scheduler_next_alarm(simulation->scheduler);
    if (end != NULL && end->at < at)
        at = end->at;
    if (simulation->arrived < simulation->count &&
        simulation->jobs[simulation->arrived].submitted_at < at)
        at = simulation->jobs[simulation->arrived].submitted_at;
    return at;
}

void simulation_run(const struct scheduler_options *options, struct simulated_job *jobs,
                    size_t count)
{
    struct simulation simulation = {
        .scheduler = scheduler_new(options), .jobs = jobs, .count = count};
    int64_t now;
    qsort(jobs, count, sizeof(*jobs), by_submit);
    while ((now = next_instant(&simulation)) != NEVER) {
        end_jobs(&simulation, now);
        take_arrivals(&simulation, now);
        start_jobs(&simulation, now);
        while (ends_by(&simulation, now)) {
            end_jobs(&simulation, now);
            start_jobs(&simulation, now);
        }
    }
    assert(scheduler_waiting(simulation.scheduler) == 0);
    alarms_done(&simulation.ends);
    scheduler_free(simulation.scheduler);
}
