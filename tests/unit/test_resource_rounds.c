/* Random jobs over several resources and queues in the scheduler itself: whatever the order of
 * starts, ends, cancels and rounds, nothing is ever given twice, what is free is exactly what is
 * not held, and at the end all is back. */
#include "daemon/core/gpus.h"
#include "daemon/core/resource_names.h"
#include "tests/unit/scheduler_steps.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS = 300, STEPS = 30000, QUEUES = 3 };

struct rounds_job {
    struct job sched;
    struct resources wanted;
    enum { ABSENT, WAITING, RUNNING } state;
    uint64_t run, gpus;
};

struct rounds {
    struct scheduler *scheduler;
    struct rounds_job jobs[JOBS];
    struct resources held;
    uint64_t gpus, next_id, started;
    int64_t now;
};

static const struct resources machine = {.amount = {[RESOURCE_CPUS] = 32,
                                                    [RESOURCE_MEMORY] = UINT64_C(64) << 30U,
                                                    [RESOURCE_GPUS] = 6,
                                                    [RESOURCE_DISK] = UINT64_C(1) << 40U,
                                                    [RESOURCE_COUNTER] = 2,
                                                    [RESOURCE_COUNTER + 1] = 100,
                                                    [RESOURCE_REMOVED - 1] = 1}};

/* Mostly processors alone, as jobs do. */
static struct resources random_request(void)
{
    struct resources wanted = {.amount = {[RESOURCE_CPUS] = 1 + (uint64_t)(rand() % 4)}};
    for (int kind = RESOURCE_MEMORY; kind < RESOURCE_REMOVED; kind++) {
        if (machine.amount[kind] > 0 && rand() % 4 == 0)
            wanted.amount[kind] = 1 + (uint64_t)rand() % machine.amount[kind];
    }
    return wanted;
}

/* Whole machine, each kind: free and held are the two parts of it. */
static void check_sums(const struct rounds *rounds)
{
    const struct resources *left = scheduler_free_resources(rounds->scheduler);
    bool right = (uint64_t)__builtin_popcountll(rounds->gpus) == rounds->held.amount[RESOURCE_GPUS];
    for (int kind = 0; kind < RESOURCE_KINDS; kind++)
        right &= rounds->held.amount[kind] <= machine.amount[kind] &&
                 left->amount[kind] == machine.amount[kind] - rounds->held.amount[kind];
    ck_assert(right); /* once: each assertion is a system call */
}

static void end_job(struct rounds *rounds, struct rounds_job *job)
{
    scheduler_end(rounds->scheduler, job->run, rounds->now);
    scheduler_forget(rounds->scheduler, &job->sched);
    resources_take(&rounds->held, &job->wanted);
    rounds->gpus &= ~job->gpus;
    job->state = ABSENT;
}

static void change_one(struct rounds *rounds, struct rounds_job *job)
{
    if (job->state == RUNNING) {
        end_job(rounds, job);
    } else if (job->state == WAITING && rand() % 5 == 0) {
        scheduler_unqueue(rounds->scheduler, &job->sched);
        scheduler_forget(rounds->scheduler, &job->sched);
        job->state = ABSENT;
    } else if (job->state == ABSENT) {
        job->sched =
            a_job(++rounds->next_id, (uint32_t)(rand() % 4), (uint8_t)(rand() % 5), rounds->now);
        job->sched.queue = (uint8_t)(rand() % QUEUES);
        job->sched.estimate_us = rand() % 4 == 0 ? ESTIMATE_UNKNOWN : rand() % 9 * SECONDS(20);
        job->wanted = random_request();
        scheduler_learn(rounds->scheduler, &job->sched, &job->wanted);
        scheduler_queue(rounds->scheduler, &job->sched, rounds->now);
        job->state = WAITING;
    }
}

static struct rounds_job *whole(struct job *job)
{
    return (struct rounds_job *)job;
}

static void one_round(struct rounds *rounds)
{
    struct job *job;
    uint64_t run = 0;
    scheduler_begin(rounds->scheduler, rounds->now);
    while ((job = start(rounds->scheduler, rounds->now, &run)) != NULL) {
        struct rounds_job *mine = whole(job);
        ck_assert_int_eq(mine->state, WAITING);
        mine->run = run;
        mine->state = RUNNING;
        resources_add(&rounds->held, &mine->wanted);
        mine->gpus = gpus_lowest_free(rounds->gpus, mine->wanted.amount[RESOURCE_GPUS],
                                      machine.amount[RESOURCE_GPUS]);
        ck_assert_uint_eq((uint64_t)__builtin_popcountll(mine->gpus),
                          mine->wanted.amount[RESOURCE_GPUS]);
        rounds->gpus |= mine->gpus;
        rounds->started++;
        check_sums(rounds);
    }
}

/* Until nothing waits and nothing runs: each job fits into the empty machine, so all get their
 * turn. */
static void drain(struct rounds *rounds)
{
    for (int round = 0; round < 100 * JOBS; round++) {
        size_t open = 0;
        for (int i = 0; i < JOBS; i++) {
            if (rounds->jobs[i].state == RUNNING && rand() % 2 == 0)
                end_job(rounds, &rounds->jobs[i]);
            open += rounds->jobs[i].state != ABSENT;
        }
        check_sums(rounds);
        if (open == 0)
            return;
        rounds->now += SECONDS(1);
        one_round(rounds);
    }
    ck_abort_msg("jobs were left waiting");
}

START_TEST(nothing_is_given_twice_and_all_comes_back)
{
    struct rounds *rounds = calloc(1, sizeof(*rounds));
    const struct scheduler_options options = {
        .total = machine,
        .queue = {.policy = (enum queue_policy)(_i % 4), .backfill = (enum queue_backfill)(_i / 4)},
        .half_life_us = SECONDS(1000),
        .backfill_depth = 50};
    srand((unsigned)_i + 11);
    rounds->scheduler = scheduler_new(&options);
    for (int i = 1; i < QUEUES; i++)
        ck_assert_int_eq(scheduler_add_queue(rounds->scheduler, &options.queue), i);
    for (int step = 0; step < STEPS; step++) {
        rounds->now += rand() % 3 == 0 ? rand() % SECONDS(5) : 0;
        change_one(rounds, &rounds->jobs[rand() % JOBS]);
        check_sums(rounds);
        if (rand() % 3 == 0)
            one_round(rounds);
    }
    drain(rounds);
    ck_assert_uint_gt(rounds->started, STEPS / 100);
    ck_assert_mem_eq(scheduler_free_resources(rounds->scheduler), &machine, sizeof(machine));
    scheduler_free(rounds->scheduler);
    free(rounds);
}
END_TEST

/* A job that was adopted may hold what the machine has no more: it stops at 0, and comes back. */
START_TEST(what_is_held_of_a_smaller_machine)
{
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = 4, [RESOURCE_COUNTER] = 1}}};
    struct scheduler *scheduler = scheduler_new(&options);
    const struct resources wide = {.amount = {[RESOURCE_CPUS] = 1,
                                              [RESOURCE_GPUS] = 2,
                                              [RESOURCE_COUNTER] = 3,
                                              [RESOURCE_REMOVED] = 5}};
    const struct resources counter = {.amount = {[RESOURCE_COUNTER] = 1}};
    struct job held = a_job(1, 1, 2, 0);
    struct job again = a_job(2, 1, 2, 0);
    struct job other = a_job(3, 1, 2, 0);
    uint64_t run = 0;
    scheduler_learn(scheduler, &held, &wide);
    uint64_t adopted = scheduler_run(scheduler, &held, 0);
    scheduler_learn(scheduler, &again, &wide);
    scheduler_queue(scheduler, &again, 0); /* never fits: it stops nobody */
    scheduler_learn(scheduler, &other, &counter);
    scheduler_queue(scheduler, &other, 0);
    scheduler_begin(scheduler, 0);
    ck_assert_ptr_null(start(scheduler, 0, &run));
    ck_assert_uint_eq(scheduler_free_resources(scheduler)->amount[RESOURCE_COUNTER], 0);
    ck_assert_uint_eq(scheduler_free_resources(scheduler)->amount[RESOURCE_REMOVED], 0);
    scheduler_end(scheduler, adopted, 1);
    scheduler_begin(scheduler, 1);
    ck_assert_ptr_eq(start(scheduler, 1, &run), &other);
    scheduler_end(scheduler, run, 2);
    ck_assert_mem_eq(scheduler_free_resources(scheduler), &options.total, sizeof(options.total));
    scheduler_free(scheduler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resources in rounds");
    TCase *rounds = tcase_create("rounds");
    tcase_set_timeout(rounds, 120);
    tcase_add_loop_test(rounds, nothing_is_given_twice_and_all_comes_back, 0, 8);
    tcase_add_test(rounds, what_is_held_of_a_smaller_machine);
    suite_add_tcase(suite, rounds);
    return suite_run(suite);
}
