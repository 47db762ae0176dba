#include "daemon/core/forecast.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One that waits in a worker behind another. */
struct behind {
    struct behind *next;
    struct forecast_run run;
    int64_t estimate_us;
};

struct entry {
    struct forecast_run run;
    uint64_t number; /* in the scheduler */
    struct behind *behind;
    bool cut; /* it ends at its deadline */
};

/* Deadlines in an order; owned. */
struct deadline_list {
    struct deadline *entries;
    size_t count, next; /* from `next` on they are to come */
};

struct forecast {
    struct forecast_options options;
    const struct forecast_events *events;
    void *arg;
    struct entry *ends; /* a binary heap by ends_at, then number */
    size_t count, room;
    struct deadline_list by_time, by_job;
    uint64_t *gone; /* jobs that never will start, and whose children do not know it yet; owned */
    size_t gone_count, gone_room;
    int64_t now;
    bool enough;
};

int64_t forecast_end(int64_t started_at, int64_t estimate_us, int64_t now)
{
    int64_t span = estimate_us == ESTIMATE_UNKNOWN ? FORECAST_UNKNOWN_US : estimate_us;
    int64_t at = span > NEVER - started_at ? NEVER - 1 : started_at + span;
    return at >= now ? at : now + (now - at);
}

/* ---- what runs, by its end ---- */

static bool ends_before(const struct entry *a, const struct entry *b)
{
    return a->run.ends_at != b->run.ends_at ? a->run.ends_at < b->run.ends_at
                                            : a->number < b->number;
}

static struct entry *push(struct forecast *forecast, const struct entry *entry)
{
    if (forecast->count == forecast->room) {
        forecast->room = forecast->room == 0 ? 64 : forecast->room * 2;
        forecast->ends = xreallocarray(forecast->ends, forecast->room, sizeof(*forecast->ends));
    }
    size_t at = forecast->count++;
    for (; at > 0 && ends_before(entry, &forecast->ends[(at - 1) / 2]); at = (at - 1) / 2)
        forecast->ends[at] = forecast->ends[(at - 1) / 2];
    forecast->ends[at] = *entry;
    return &forecast->ends[at];
}

static struct entry pop(struct forecast *forecast)
{
    struct entry first = forecast->ends[0];
    const struct entry last = forecast->ends[--forecast->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < forecast->count &&
            ends_before(&forecast->ends[child + 1], &forecast->ends[child]))
            child++;
        if (child >= forecast->count || !ends_before(&forecast->ends[child], &last))
            break;
        forecast->ends[at] = forecast->ends[child];
        at = child;
    }
    forecast->ends[at] = last;
    return first;
}

/* ---- deadlines ---- */

static int compare_time(const void *a, const void *b)
{
    const struct deadline *first = a;
    const struct deadline *second = b;
    if (first->at != second->at)
        return first->at < second->at ? -1 : 1;
    return (first->job > second->job) - (first->job < second->job);
}

static int compare_job(const void *a, const void *b)
{
    const struct deadline *first = a;
    const struct deadline *second = b;
    return (first->job > second->job) - (first->job < second->job);
}

static void copy_deadlines(struct deadline_list *list, const struct deadlines *set,
                           int (*compare)(const void *a, const void *b))
{
    if (set == NULL || set->count == 0)
        return;
    list->count = set->count;
    list->entries = xreallocarray(NULL, set->count, sizeof(*set->entries));
    memcpy(list->entries, set->entries, set->count * sizeof(*set->entries));
    qsort(list->entries, list->count, sizeof(*list->entries), compare);
}

/* Of an end that would be later. */
static void cut_at_deadline(const struct forecast *forecast, struct entry *entry)
{
    const struct deadline_list *list = &forecast->by_job;
    const struct deadline key = {.job = entry->run.job->id};
    const struct deadline *found =
        list->count == 0 ? NULL
                         : bsearch(&key, list->entries, list->count, sizeof(key), compare_job);
    if (found == NULL || found->at >= entry->run.ends_at)
        return;
    entry->run.ends_at = found->at > forecast->now ? found->at : forecast->now;
    entry->cut = true;
}

/* No more of it starts: it is kept out of the queue from now on. */
static void drop_rest(struct forecast *forecast, struct job *job)
{
    struct task_count *count = task_counts_find(forecast->options.arrays, job->id);
    jobset_block(forecast->options.jobs, job, JOB_HELD);
    if (count != NULL)
        count->waiting = 0;
}

/* The same of one that waits; when nothing of it runs either it is over. */
static void drop(struct forecast *forecast, uint64_t id)
{
    struct job *job = jobset_find(forecast->options.jobs, id);
    const struct task_count *count = task_counts_find(forecast->options.arrays, id);
    if (job == NULL)
        return;
    drop_rest(forecast, job);
    if (count != NULL && count->running > 0)
        return;
    if (forecast->gone_count == forecast->gone_room) {
        forecast->gone_room = forecast->gone_room == 0 ? 16 : forecast->gone_room * 2;
        forecast->gone =
            xreallocarray(forecast->gone, forecast->gone_room, sizeof(*forecast->gone));
    }
    forecast->gone[forecast->gone_count++] = id;
}

static bool waits(const struct forecast *forecast, const struct job *job)
{
    const struct task_count *count = task_counts_find(forecast->options.arrays, job->id);
    if (job_is_array(job))
        return count != NULL && count->waiting > 0;
    return job_state_of(job) == JOB_STATE_PENDING &&
           (job->queued || job_blocked_by(job, JOB_BLOCKS));
}

static void deadlines_pass(struct forecast *forecast)
{
    struct deadline_list *list = &forecast->by_time;
    for (; list->next < list->count && list->entries[list->next].at <= forecast->now;
         list->next++) {
        const struct job *job = jobset_find(forecast->options.jobs, list->entries[list->next].job);
        if (job != NULL && waits(forecast, job))
            drop(forecast, job->id);
    }
}

struct forecast *forecast_new(const struct forecast_options *options,
                              const struct forecast_events *events, void *arg)
{
    struct forecast *forecast = xcalloc(1, sizeof(*forecast));
    *forecast =
        (struct forecast){.options = *options, .events = events, .arg = arg, .now = options->now};
    copy_deadlines(&forecast->by_time, options->deadlines, compare_time);
    copy_deadlines(&forecast->by_job, options->deadlines, compare_job);
    return forecast;
}

void forecast_free(struct forecast *forecast)
{
    if (forecast == NULL)
        return;
    for (size_t i = 0; i < forecast->count; i++) {
        while (forecast->ends[i].behind != NULL) {
            struct behind *behind = forecast->ends[i].behind;
            forecast->ends[i].behind = behind->next;
            free(behind);
        }
    }
    free(forecast->by_time.entries);
    free(forecast->by_job.entries);
    free(forecast->gone);
    free(forecast->ends);
    free(forecast);
}

void forecast_add_run(struct forecast *forecast, const struct forecast_run *run, uint64_t number,
                      int64_t estimate_us)
{
    struct entry entry = {.run = *run, .number = number};
    entry.run.ends_at = forecast_end(run->started_at, estimate_us, forecast->now);
    cut_at_deadline(forecast, &entry);
    (void)push(forecast, &entry);
    if (forecast->events->running != NULL)
        forecast->events->running(forecast->arg, &entry.run);
}

void forecast_add_behind(struct forecast *forecast, const struct forecast_run *run, uint64_t number,
                         int64_t estimate_us)
{
    struct behind *behind = xmalloc(sizeof(*behind));
    *behind = (struct behind){.run = *run, .estimate_us = estimate_us};
    for (size_t i = 0; i < forecast->count; i++) {
        if (forecast->ends[i].number != number)
            continue;
        struct behind **link = &forecast->ends[i].behind;
        while (*link != NULL)
            link = &(*link)->next;
        *link = behind;
        return;
    }
    free(behind); /* its worker has nothing that it could be behind */
}

/* ---- what follows from a start or an end ---- */

/* An array stands in the queue while another of its tasks may start. */
static void requeue(struct forecast *forecast, const struct job *array)
{
    struct job *job = jobset_find(forecast->options.jobs, array->id);
    const struct task_count *count = task_counts_find(forecast->options.arrays, array->id);
    if (job_is_array(job))
        jobset_queue(forecast->options.jobs, job, count != NULL && task_count_startable(count) > 0,
                     forecast->now);
}

static void free_child(struct forecast *forecast, uint64_t id)
{
    struct jobset *jobs = forecast->options.jobs;
    struct job *job = jobset_find(jobs, id);
    int64_t now = forecast->now;
    if (now > job->since)
        jobset_set_since(jobs, job, now, now);
    jobset_unblock(jobs, job, JOB_DEPENDS, now);
    requeue(forecast, job);
}

/* An earlier job of the same user and name that still runs, or NULL: what waits itself is behind
 * the one that has just ended, or in front of it and waited for by it. */
static const struct job *namesake(const struct forecast *forecast, uint64_t child)
{
    const struct job *job = jobset_find(forecast->options.jobs, child);
    for (size_t i = 0; i < forecast->count; i++) {
        const struct job *other = forecast->ends[i].run.job;
        if (other->id < child && other->uid == job->uid &&
            ((other->class ^ job->class) & ~JOB_OWN_ESTIMATE) == 0)
            return other;
    }
    return NULL;
}

/* Of so many tasks more of it what it waits for, task by task, is there. */
static void free_tasks(struct forecast *forecast, uint64_t child, uint64_t more)
{
    struct task_count *count = task_counts_find(forecast->options.arrays, child);
    const struct job *job = jobset_find(forecast->options.jobs, child);
    if (count == NULL)
        return;
    count->kept -= more < count->kept ? more : count->kept;
    requeue(forecast, job);
}

/* What an end, or a start, of what it names means for it. */
static bool fulfils(enum dependency_type type, bool well)
{
    if (type == DEPENDENCY_AFTER || type == DEPENDENCY_SINGLETON)
        return true;
    if (type == DEPENDENCY_AFTERCORR)
        return well;
    return dependency_fulfilled(type, well ? JOB_STATE_COMPLETED : JOB_STATE_CANCELLED);
}

static void close_edge(struct forecast *forecast, struct dependency_edge *edge, bool whole,
                       bool well)
{
    uint64_t child = edge->child;
    enum dependency_type type = edge->what.type;
    const struct job *other =
        type == DEPENDENCY_SINGLETON && whole ? namesake(forecast, child) : NULL;
    if (other != NULL) {
        dependency_graph_redirect(forecast->options.waits, edge, other->id);
        return;
    }
    switch (dependency_graph_close(forecast->options.waits, edge, fulfils(type, well))) {
    case DEPENDENCY_MET:
        free_child(forecast, child);
        break;
    case DEPENDENCY_NEVER:
        drop(forecast, child);
        break;
    case DEPENDENCY_WAITS:
        break;
    }
}

enum happening { STARTED, ENDED_WELL, ENDED_OTHERWISE };

/* What waits for this of a job (index < 0) or of a task. */
static void follow(struct forecast *forecast, uint64_t id, int64_t index, enum happening what)
{
    bool well = what != ENDED_OTHERWISE;
    struct dependency_graph *waits = forecast->options.waits;
    struct dependency_edge *edge;
    if (waits == NULL || dependency_graph_empty(waits))
        return;
    while ((edge = dependency_graph_first(waits, id, index, WAIT_FOR_START)) != NULL)
        close_edge(forecast, edge, false, well);
    if (what == STARTED)
        return;
    while ((edge = dependency_graph_first(waits, id, index, WAIT_FOR_END)) != NULL)
        close_edge(forecast, edge, true, well);
    if (index >= 0)
        return;
    /* Which turn a task to come has is not known here: such an edge goes with the whole array. */
    while ((edge = dependency_graph_first_of_tasks(waits, id)) != NULL)
        close_edge(forecast, edge, false, well);
    while ((edge = dependency_graph_first(waits, id, index, WAIT_FOR_TASKS)) != NULL) {
        uint64_t child = edge->child;
        close_edge(forecast, edge, false, well);
        free_tasks(forecast, child, UINT64_MAX);
    }
}

/* A task of it ended: of what waits for it task by task one more may start. */
static void follow_task(struct forecast *forecast, uint64_t id)
{
    const struct dependency_edge *edge =
        forecast->options.waits == NULL
            ? NULL
            : dependency_graph_first(forecast->options.waits, id, -1, WAIT_FOR_TASKS);
    for (; edge != NULL; edge = edge->next_of_parent)
        free_tasks(forecast, edge->child, 1);
}

/* A task of it started, or ended. */
static void count_task(struct forecast *forecast, const struct job *array, bool started)
{
    struct task_count *count = task_counts_find(forecast->options.arrays, array->id);
    if (count == NULL)
        return;
    if (started) {
        count->waiting--;
        count->running++;
        count->started++;
    } else {
        count->running--;
        follow_task(forecast, array->id);
    }
    requeue(forecast, array);
    if (count->waiting + count->running > 0)
        return;
    bool well = !job_blocked_by(array, JOB_HELD); /* with nothing that waits: it was dropped */
    follow(forecast, array->id, -1, well ? ENDED_WELL : ENDED_OTHERWISE);
}

/* What never starts has ended for those that wait for it. */
static void follow_gone(struct forecast *forecast)
{
    while (forecast->gone_count > 0)
        follow(forecast, forecast->gone[--forecast->gone_count], -1, ENDED_OTHERWISE);
}

/* ---- instants ---- */

static void tell(struct forecast *forecast,
                 bool (*event)(void *arg, const struct forecast_run *run),
                 const struct forecast_run *run)
{
    if (event != NULL && !event(forecast->arg, run))
        forecast->enough = true;
}

/* The one behind has the resources from now on. */
static void start_behind(struct forecast *forecast, struct behind *behind)
{
    struct job as_started = *behind->run.job;
    as_started.estimate_us = behind->estimate_us;
    struct entry entry = {.run = behind->run, .behind = behind->next};
    entry.number = scheduler_run(forecast->options.scheduler, &as_started, forecast->now);
    entry.run.started_at = forecast->now;
    entry.run.ends_at = forecast_end(forecast->now, behind->estimate_us, forecast->now);
    cut_at_deadline(forecast, &entry);
    free(behind);
    (void)push(forecast, &entry);
    tell(forecast, forecast->events->started, &entry.run);
}

static void end_one(struct forecast *forecast)
{
    const struct entry entry = pop(forecast);
    scheduler_end(forecast->options.scheduler, entry.number, forecast->now);
    if (entry.behind != NULL)
        start_behind(forecast, entry.behind);
    enum happening end = entry.cut ? ENDED_OTHERWISE : ENDED_WELL;
    uint64_t id = entry.run.job->id;
    if (entry.cut)
        drop_rest(forecast, jobset_find(forecast->options.jobs, id));
    if (entry.run.is_task && entry.run.index >= 0)
        follow(forecast, id, entry.run.index, end);
    if (entry.run.is_task)
        count_task(forecast, entry.run.job, false);
    else
        follow(forecast, id, -1, end);
    tell(forecast, forecast->events->ended, &entry.run);
}

static bool ends_by(const struct forecast *forecast, int64_t now)
{
    return forecast->count > 0 && forecast->ends[0].run.ends_at <= now;
}

static void begin_due(struct forecast *forecast)
{
    struct jobset *jobs = forecast->options.jobs;
    const struct alarm *alarm;
    while ((alarm = alarms_first(forecast->options.begins)) != NULL && alarm->at <= forecast->now) {
        struct job *job = alarm->job;
        int64_t at = alarm->at;
        alarms_clear(forecast->options.begins, job);
        if (at > job->since && !job->put_off)
            jobset_set_since(jobs, job, at, forecast->now);
        jobset_unblock(jobs, job, JOB_LATER, forecast->now);
        requeue(forecast, job);
    }
}

static void start_one(struct forecast *forecast, struct job *job)
{
    struct scheduler *scheduler = forecast->options.scheduler;
    int64_t now = forecast->now;
    struct entry entry = {.run = {.job = job, .index = -1, .started_at = now}};
    entry.run.ends_at = forecast_end(now, job->estimate_us, now);
    cut_at_deadline(forecast, &entry);
    entry.number = scheduler_run(scheduler, job, now);
    entry.run.is_task = job_is_array(job);
    if (entry.run.is_task)
        entry.run.count = task_counts_find(forecast->options.arrays, job->id);
    if (entry.run.count != NULL) {
        entry.run.turn = entry.run.count->started;
        count_task(forecast, job, true);
    } else {
        scheduler_unqueue(scheduler, job);
    }
    (void)push(forecast, &entry);
    follow(forecast, job->id, -1, STARTED);
    tell(forecast, forecast->events->started, &entry.run);
}

static void start_jobs(struct forecast *forecast)
{
    struct job *job;
    scheduler_begin(forecast->options.scheduler, forecast->now);
    while (!forecast->enough && forecast->count < forecast->options.workers &&
           (job = scheduler_next(forecast->options.scheduler)) != NULL)
        start_one(forecast, job);
}

/* NEVER: nothing happens any more. */
static int64_t next_instant(const struct forecast *forecast)
{
    const struct alarm *begin = alarms_first(forecast->options.begins);
    int64_t at = scheduler_next_alarm(forecast->options.scheduler);
    if (forecast->count > 0 && forecast->ends[0].run.ends_at < at)
        at = forecast->ends[0].run.ends_at;
    if (begin != NULL && begin->at < at)
        at = begin->at;
    const struct deadline_list *deadlines = &forecast->by_time;
    if (deadlines->next < deadlines->count && deadlines->entries[deadlines->next].at < at)
        at = deadlines->entries[deadlines->next].at;
    return at;
}

void forecast_go(struct forecast *forecast)
{
    int64_t at = forecast->now;
    for (; at != NEVER && !forecast->enough; at = next_instant(forecast)) {
        forecast->now = at > forecast->now ? at : forecast->now;
        do {
            while (ends_by(forecast, forecast->now) && !forecast->enough)
                end_one(forecast);
            deadlines_pass(forecast);
            follow_gone(forecast);
            begin_due(forecast);
            start_jobs(forecast);
        } while (ends_by(forecast, forecast->now) && !forecast->enough);
    }
}
