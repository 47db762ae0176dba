/* Random states of the scheduler for the tests of what is predicted: written down as plain data, so
 * that the same state can be made again and again, or with one thing changed. */
#ifndef BATCHD_TESTS_UNIT_RANDOM_STATE_H
#define BATCHD_TESTS_UNIT_RANDOM_STATE_H

#include "tests/unit/scheduler_steps.h"

#include "daemon/core/alarms.h"
#include "daemon/core/deadlines.h"
#include "daemon/core/dependency_graph.h"
#include "daemon/core/jobset.h"
#include "daemon/core/task_counts.h"

#include <check.h>
#include <stdlib.h>

enum {
    STATE_JOBS = 40,
    STATE_QUEUES = 3,
    STATE_USERS = 4,
    STATE_CPUS = 16,
    STATE_MEMORY = 64,
    STATE_TASKS = 4
};

struct planned_job {
    struct job sched; /* as it is submitted */
    struct resources wanted;
    bool running, held, array;
    int64_t started_at, begin_at, deadline_at;
    int64_t predicted_us;      /* of what runs of it */
    struct dependency depends; /* parent 0: of none */
    struct task_count tasks;   /* of an array */
    /* In the scheduler that was built last: what runs of it, and itself. */
    uint64_t runs[STATE_TASKS];
    struct job *job;
};

struct plan_state {
    struct planned_job jobs[STATE_JOBS];
    size_t count;
    struct queue_settings queues[STATE_QUEUES];
    bool paused[STATE_QUEUES];
    uint64_t served[STATE_QUEUES];
    uint64_t workers;
    int64_t now;
};

/* What was built of it; freed by state_done. */
struct built {
    struct scheduler *scheduler;
    struct jobset *jobs;
    struct alarms begins;
    struct dependency_graph *waits;
    struct task_counts arrays;
    struct deadlines deadlines;
};

static inline int random_of(int count)
{
    return rand() % count;
}

static inline struct queue_settings random_queue(void)
{
    struct queue_settings settings = {.policy = (enum queue_policy)random_of(QUEUE_POLICY_COUNT),
                                      .backfill = (enum queue_backfill)random_of(2),
                                      .slots = random_of(3) > 0 ? 0 : (uint32_t)random_of(5),
                                      .per_user = random_of(3) > 0 ? 0 : (uint32_t)random_of(4),
                                      .weight = (uint32_t)random_of(4)};
    if (random_of(4) == 0)
        settings.ageing_us = SECONDS(100);
    if (random_of(4) == 0)
        settings.max_delay_us = SECONDS(300);
    return settings;
}

static inline void random_job(struct plan_state *state, uint64_t id, unsigned queues)
{
    struct planned_job *job = &state->jobs[id - 1];
    *job = (struct planned_job){.sched = a_job(id, (uint32_t)random_of(STATE_USERS),
                                               (uint8_t)random_of(5),
                                               state->now - random_of(400) * SECONDS(1))};
    job->sched.queue = (uint8_t)random_of((int)queues);
    job->sched.estimate_us = (1 + random_of(40)) * SECONDS(5) + random_of(1000000);
    if (random_of(8) == 0)
        job->sched.estimate_us = ESTIMATE_UNKNOWN;
    job->wanted.amount[RESOURCE_CPUS] = (uint64_t)(1 + random_of(random_of(3) == 0 ? 16 : 4));
    job->wanted.amount[RESOURCE_MEMORY] = (uint64_t)random_of(random_of(4) == 0 ? STATE_MEMORY : 8)
                                          << 20U;
    if (random_of(8) == 0)
        job->wanted.amount[RESOURCE_COUNTER] = (uint64_t)(1 + random_of(2));
    job->held = random_of(12) == 0;
    if (random_of(12) == 0)
        job->begin_at = state->now + (1 + random_of(300)) * SECONDS(1);
    if (random_of(10) == 0 && id > 1)
        job->depends = (struct dependency){.type = random_of(2) == 0   ? DEPENDENCY_AFTEROK
                                                   : random_of(2) == 0 ? DEPENDENCY_AFTERNOTOK
                                                                       : DEPENDENCY_AFTERANY,
                                           .parent = 1 + (uint64_t)random_of((int)id - 1)};
    if (random_of(8) == 0)
        job->deadline_at = state->now + (1 + random_of(600)) * SECONDS(1) + random_of(1000);
    if (random_of(5) == 0) {
        job->array = true;
        job->tasks = (struct task_count){
            .id = id, .waiting = (uint64_t)(1 + random_of(6)), .limit = (uint64_t)random_of(4)};
    }
}

static inline struct resources state_total(void)
{
    return (struct resources){.amount = {[RESOURCE_CPUS] = STATE_CPUS,
                                         [RESOURCE_MEMORY] = (uint64_t)STATE_MEMORY << 20U,
                                         [RESOURCE_COUNTER] = 2}};
}

static inline bool is_open(const void *arg, uint64_t job)
{
    (void)arg;
    (void)job;
    return true;
}

static inline void build_waiting(struct plan_state *state, struct built *built, size_t at)
{
    struct planned_job *one = &state->jobs[at];
    enum job_state initial = one->running ? JOB_STATE_RUNNING : JOB_STATE_PENDING;
    one->job = jobset_add(built->jobs, &one->sched, &one->wanted,
                          one->array ? JOBSET_ARRAY : JOBSET_PLAIN, initial, state->now);
    const struct deadline deadline = {.at = one->deadline_at, .job = one->sched.id};
    if (one->deadline_at > 0)
        deadlines_add(&built->deadlines, &deadline, is_open, NULL);
    if (one->array) {
        task_counts_put(&built->arrays, &one->tasks);
        jobset_queue(built->jobs, one->job, task_count_startable(&one->tasks) > 0, state->now);
    }
    if (one->running)
        return;
    if (one->held)
        jobset_block(built->jobs, one->job, JOB_HELD);
    if (one->begin_at > state->now) {
        jobset_block(built->jobs, one->job, JOB_LATER);
        alarms_set(&built->begins, one->job, one->begin_at);
    }
    if (one->depends.parent != 0) {
        (void)dependency_graph_add(built->waits, one->sched.id, 0, false, &one->depends);
        jobset_block(built->jobs, one->job, JOB_DEPENDS);
    }
}

/* How many of it run. */
static inline unsigned state_runs(const struct planned_job *job)
{
    return job->array ? (unsigned)job->tasks.running : job->running;
}

static inline uint64_t state_running(const struct plan_state *state)
{
    uint64_t running = 0;
    for (size_t i = 0; i < state->count; i++)
        running += state_runs(&state->jobs[i]);
    return running;
}

static inline void state_build(struct plan_state *state, struct built *ret)
{
    const struct scheduler_options options = {
        .total = state_total(), .queue = state->queues[0], .half_life_us = SECONDS(1000)};
    *ret = (struct built){.scheduler = scheduler_new(&options), .waits = dependency_graph_new()};
    ret->jobs = jobset_new(ret->scheduler);
    for (int i = 1; i < STATE_QUEUES; i++)
        ck_assert_int_eq(scheduler_add_queue(ret->scheduler, &state->queues[i]), i);
    for (uint8_t i = 0; i < STATE_QUEUES; i++)
        scheduler_pause_queue(ret->scheduler, i, state->paused[i]);
    for (size_t i = 0; i < state->count; i++)
        build_waiting(state, ret, i);
    for (size_t i = 0; i < state->count; i++) {
        struct planned_job *one = &state->jobs[i];
        struct job as_started = *one->job;
        as_started.estimate_us = one->predicted_us;
        for (unsigned k = 0; k < state_runs(one); k++)
            one->runs[k] = scheduler_run(ret->scheduler, &as_started, one->started_at);
    }
    for (uint8_t i = 0; i < STATE_QUEUES; i++)
        scheduler_set_served(ret->scheduler, i, state->served[i]);
}

static inline void state_done(struct built *built)
{
    dependency_graph_free(built->waits);
    alarms_done(&built->begins);
    task_counts_done(&built->arrays);
    deadlines_done(&built->deadlines);
    jobset_free(built->jobs);
    scheduler_free(built->scheduler);
}

/* A job, or some tasks of an array, runs since a while. */
static inline void run_it(struct plan_state *state, struct planned_job *job,
                          struct resources *there)
{
    unsigned most = job->array ? STATE_TASKS : 1;
    if (job->array && job->tasks.limit > 0 && job->tasks.limit < most)
        most = (unsigned)job->tasks.limit;
    unsigned count = 0;
    for (; count < most && resources_fit(&job->wanted, there); count++)
        resources_take(there, &job->wanted);
    if (count == 0)
        return;
    job->started_at = state->now - random_of(100) * SECONDS(1);
    job->predicted_us = job->sched.estimate_us;
    job->begin_at = 0;
    job->depends.parent = 0;
    if (job->array) {
        job->tasks.running = count;
    } else {
        job->held = false;
        job->running = true;
    }
}

/* Nothing is promised twice. */
static inline void random_state(struct plan_state *state)
{
    struct resources there = state_total();
    *state = (struct plan_state){.now = SECONDS(100000), .count = 5 + (size_t)random_of(36)};
    unsigned queues = (unsigned)(1 + random_of(STATE_QUEUES));
    int idle = 2 + random_of(12);
    for (int i = 0; i < STATE_QUEUES; i++) {
        state->queues[i] = random_queue();
        state->paused[i] = random_of(8) == 0;
        state->served[i] = (uint64_t)random_of(20) << 20U;
    }
    for (size_t i = 0; i < state->count; i++) {
        random_job(state, i + 1, queues);
        if (random_of(idle) == 0)
            run_it(state, &state->jobs[i], &there);
    }
    state->workers = random_of(3) > 0 ? 1000 : state_running(state) + (uint64_t)random_of(3);
}

#endif
