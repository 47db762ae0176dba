/* What the jobs that wait and run will do: the scheduler itself, run forward on estimates with a
 * virtual clock. What runs ends when it was predicted to end; what starts runs as long as its
 * estimate says, and where nobody knows, FORECAST_UNKNOWN_US; every end is a good one, and frees
 * what depends on it, but for those at a deadline. Nothing new comes, nobody holds, releases or
 * changes anything. What has no way to start (held, in a paused queue, larger than the machine,
 * waiting for a failure, or not before its deadline) does not.
 *
 * One that ran longer than predicted is taken to go on for as long again as it is late.
 *
 * What it is given is used up: the daemon runs it in a copy of itself (exec/snapshot.h). Pure. */
#ifndef BATCHD_DAEMON_CORE_FORECAST_H
#define BATCHD_DAEMON_CORE_FORECAST_H

#include "daemon/core/alarms.h"
#include "daemon/core/deadlines.h"
#include "daemon/core/dependency_graph.h"
#include "daemon/core/jobset.h"
#include "daemon/core/task_counts.h"

/* Of a job of which nothing is known: neither its user, nor earlier runs, nor its queue. */
#define FORECAST_UNKNOWN_US INT64_C(600000000)

/* A job, or a task of an array, that runs or is predicted to. */
struct forecast_run {
    const struct job *job;
    bool is_task;
    int64_t index; /* of a task that runs already; else -1 */
    uint64_t turn; /* a task to come is the so-manieth of its array that starts, from 0 */
    struct task_count *count; /* of its array, when it is such a task; else NULL */
    int64_t started_at, ends_at;
};

struct forecast_events {
    /* What runs already, as it is added. */
    void (*running)(void *arg, const struct forecast_run *run);
    /* False: enough is known, the forecast ends. */
    bool (*started)(void *arg, const struct forecast_run *run);
    bool (*ended)(void *arg, const struct forecast_run *run);
};

struct forecast_options {
    struct scheduler *scheduler;
    struct jobset *jobs;
    struct alarms *begins;          /* jobs by the time before which they may not start */
    struct dependency_graph *waits; /* NULL: nobody waits for another */
    struct task_counts *arrays;
    const struct deadlines *deadlines; /* NULL: nobody has one */
    uint64_t workers;                  /* so many run at the same time */
    int64_t now;
};

struct forecast;

/* All that is in the options is the caller's, and used up. */
struct forecast *forecast_new(const struct forecast_options *options,
                              const struct forecast_events *events, void *arg);
void forecast_free(struct forecast *forecast);

/* What runs already: its number in the scheduler, and how long it was predicted to run from
 * run->started_at, ESTIMATE_UNKNOWN when nobody knew; run->ends_at is not looked at. */
void forecast_add_run(struct forecast *forecast, const struct forecast_run *run, uint64_t number,
                      int64_t estimate_us);
/* It was handed over ahead of time: when the run of that number ends it takes over its resources.
 * Those behind the same come in order. */
void forecast_add_behind(struct forecast *forecast, const struct forecast_run *run, uint64_t number,
                         int64_t estimate_us);

/* Runs until an event says that it is enough, or nothing happens any more. */
void forecast_go(struct forecast *forecast);

/* When what started then, and was to run so long, is taken to end. */
int64_t forecast_end(int64_t started_at, int64_t estimate_us, int64_t now);

#endif
