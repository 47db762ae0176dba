/* What is learned of how long jobs run, by numbers worked out by hand. */
#include "daemon/core/estimates.h"
#include "daemon/core/jobset.h"
#include "tests/unit/scheduler_steps.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MS(n) ((n)*US_PER_MS)

static struct run_history history_of(const int64_t *runs_ms, size_t count)
{
    struct run_history history = {.samples = 0};
    for (size_t i = 0; i < count; i++)
        run_history_add(&history, MS(runs_ms[i]), 0);
    return history;
}

START_TEST(the_median_of_the_last_fifteen)
{
    const int64_t runs[] = {900, 10, 30, 20};
    struct run_history history = history_of(runs, 0);
    ck_assert_int_eq(run_history_median(&history), 0);
    history = history_of(runs, 1);
    ck_assert_int_eq(run_history_median(&history), MS(900));
    history = history_of(runs, 3);
    ck_assert_int_eq(run_history_median(&history), MS(30));
    history = history_of(runs, 4); /* 10 20 30 900 */
    ck_assert_int_eq(run_history_median(&history), MS(25));
    ck_assert_int_le(llabs(history.mean_us - MS(240)), 4); /* whole microseconds */
}
END_TEST

/* 7 of 15 wild ones do not move it beyond what the good ones are; after 8 runs of a new length it
 * is that. */
START_TEST(outliers_do_not_move_it_and_a_change_does)
{
    struct run_history history = {.samples = 0};
    for (int i = 0; i < 8; i++)
        run_history_add(&history, MS(100 + i), 0);
    for (int i = 0; i < 7; i++)
        run_history_add(&history, INT64_C(864000) * US_PER_SECOND, 0);
    ck_assert_int_eq(run_history_median(&history), MS(107));
    for (int i = 0; i < 15; i++)
        run_history_add(&history, MS(100), 0);
    ck_assert_int_eq(run_history_median(&history), MS(100));
    for (int i = 0; i < 7; i++)
        run_history_add(&history, MS(500), 0);
    ck_assert_int_eq(run_history_median(&history), MS(100));
    run_history_add(&history, MS(500), 0);
    ck_assert_int_eq(run_history_median(&history), MS(500));
    ck_assert_uint_eq(history.samples, 38);
    ck_assert_uint_eq(run_history_kept(&history), RUN_HISTORY_MAX);
}
END_TEST

/* predicted / run: 2, 1/2, 1, 4 and one run that was not predicted.
 * |ln q| / ln 2: 1 1 0 2, median 1, so typical = 2 - 1. ln q / ln 2: -1 0 1 2, median 1/2, so
 * bias = sqrt 2 - 1. */
START_TEST(errors_by_hand)
{
    struct run_history history = {.samples = 0};
    struct run_error error;
    run_history_error(&history, &error);
    ck_assert_uint_eq(error.count, 0);
    run_history_add(&history, MS(100), MS(200));
    run_history_add(&history, MS(100), MS(50));
    run_history_add(&history, MS(777), 0);
    run_history_add(&history, MS(100), MS(100));
    run_history_add(&history, MS(100), MS(400));
    run_history_error(&history, &error);
    ck_assert_uint_eq(error.count, 4);
    ck_assert_int_eq(error.mean_us, MS(100 + 50 + 0 + 300) / 4);
    ck_assert_double_eq_tol(error.typical, 1.0, 1e-12);
    ck_assert_double_eq_tol(error.bias, sqrt(2) - 1, 1e-12);
    history = (struct run_history){.samples = 0};
    run_history_add(&history, MS(100), MS(50)); /* too short by the factor 2 */
    run_history_error(&history, &error);
    ck_assert_double_eq_tol(error.typical, 1.0, 1e-12);
    ck_assert_double_eq_tol(error.bias, -1.0, 1e-12);
}
END_TEST

START_TEST(published_in_few_steps)
{
    struct estimates *estimates = estimates_new(10);
    uint32_t number = estimates_take(estimates, ESTIMATE_OF_NAME, 1, "encode");
    char steps[64] = "";
    size_t used = 0;
    int64_t before = 0;
    for (int i = 1; i <= 40; i++) { /* each longer than the last, so that every median is new */
        estimates_learn(estimates, number, MS(1000 + 10 * i), 0, i);
        if (estimates_published(estimates, number) != before)
            used += (size_t)snprintf(steps + used, sizeof(steps) - used, "%d ", i);
        before = estimates_published(estimates, number);
    }
    ck_assert_str_eq(steps, "1 2 4 8 15 ");
    ck_assert_uint_eq(estimates_changes(estimates), 5);
    ck_assert_int_eq(before, MS(1080));
    for (int i = 0; i < 20; i++) /* a quarter of 1080 is 270: 1350 is not more, 1351 is */
        estimates_learn(estimates, number, MS(1350), 0, 99);
    ck_assert_int_eq(estimates_published(estimates, number), MS(1080));
    for (int i = 0; i < 8; i++)
        estimates_learn(estimates, number, MS(1351), 0, 99);
    ck_assert_int_eq(estimates_published(estimates, number), MS(1351));
    estimates_free(estimates);
}
END_TEST

START_TEST(milliseconds_are_noise)
{
    ck_assert(!run_history_matters(100, MS(11), MS(1)));
    ck_assert(run_history_matters(100, MS(12), MS(1)));
    ck_assert(!run_history_matters(3, MS(500), MS(1)));
    ck_assert(!run_history_matters(8, MS(500), MS(500)));
}
END_TEST

START_TEST(classes_are_apart_and_queues_have_the_mean)
{
    struct estimates *estimates = estimates_new(10);
    uint32_t mine = estimates_take(estimates, ESTIMATE_OF_NAME, 1, "video");
    uint32_t other = estimates_take(estimates, ESTIMATE_OF_NAME, 2, "video");
    uint32_t type = estimates_take(estimates, ESTIMATE_OF_TYPE, 1, "video");
    uint32_t queue = estimates_take(estimates, ESTIMATE_OF_QUEUE, 0, "video");
    ck_assert_uint_eq(estimates_take(estimates, ESTIMATE_OF_NAME, 1, "video"), mine);
    ck_assert(mine != other && mine != type && other != type && queue != mine);
    estimates_learn(estimates, mine, MS(10), 0, 1);
    estimates_learn(estimates, queue, MS(10), 0, 1);
    estimates_learn(estimates, queue, MS(100), 0, 1);
    estimates_learn(estimates, queue, MS(10), 0, 1);
    estimates_learn(estimates, queue, MS(40), 0, 1);
    ck_assert_int_eq(estimates_published(estimates, mine), MS(10));
    ck_assert_int_eq(estimates_published(estimates, other), 0);
    ck_assert_int_eq(estimates_published(estimates, type), 0);
    ck_assert_int_eq(estimates_published(estimates, queue), MS(40));
    ck_assert_int_eq(estimates_published(estimates, 0), 0);
    estimates_free(estimates);
}
END_TEST

/* A class that was used and is not any more. */
static void use(struct estimates *estimates, uint32_t uid, int name, bool stored)
{
    char text[16];
    struct estimate one;
    (void)snprintf(text, sizeof(text), "job %d", name);
    uint32_t number = estimates_take(estimates, ESTIMATE_OF_NAME, uid, text);
    ck_assert_uint_ne(number, 0);
    estimates_learn(estimates, number, MS(10), 0, name);
    while (stored && estimates_next_learned(estimates, &one))
        ck_assert_str_eq(one.name, text);
    estimates_drop(estimates, number);
}

static void count(void *arg, const struct estimate *one)
{
    size_t *counts = arg;
    counts[one->uid]++;
}

START_TEST(a_user_with_many_names_loses_only_his_own)
{
    struct estimates *estimates = estimates_new(10);
    struct estimate lost;
    size_t counts[3] = {0};
    for (int i = 0; i < 3; i++)
        use(estimates, 1, i, true);
    for (int i = 0; i < 1000; i++)
        use(estimates, 2, i, true);
    estimates_each(estimates, count, counts);
    ck_assert_uint_eq(counts[1], 3);
    ck_assert_uint_eq(counts[2], 7);
    int seen = 0;
    for (; estimates_next_lost(estimates, &lost); seen++)
        ck_assert_uint_eq(lost.uid, 2);
    ck_assert_int_eq(seen, 993);
    /* The one not used for longest went. */
    for (int i = 993; i < 1000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "job %d", i);
        uint32_t kept = estimates_take(estimates, ESTIMATE_OF_NAME, 2, name);
        ck_assert_int_eq(estimates_published(estimates, kept), MS(10));
        estimates_drop(estimates, kept);
    }
    uint32_t gone = estimates_take(estimates, ESTIMATE_OF_NAME, 2, "job 992");
    ck_assert_int_eq(estimates_published(estimates, gone), 0);
    estimates_free(estimates);
}
END_TEST

START_TEST(what_jobs_need_stays)
{
    struct estimates *estimates = estimates_new(3);
    uint32_t number = estimates_take(estimates, ESTIMATE_OF_NAME, 1, "waits");
    struct estimate one;
    estimates_learn(estimates, number, MS(50), 0, 1);
    ck_assert(estimates_next_learned(estimates, &one));
    for (int i = 0; i < 20; i++)
        use(estimates, 1, i, true);
    ck_assert_int_eq(estimates_published(estimates, number), MS(50));
    ck_assert_uint_ne(estimates_take(estimates, ESTIMATE_OF_NAME, 1, "a"), 0);
    ck_assert_uint_ne(estimates_take(estimates, ESTIMATE_OF_NAME, 1, "b"), 0);
    ck_assert_uint_eq(estimates_take(estimates, ESTIMATE_OF_NAME, 1, "c"), 0);
    ck_assert_uint_ne(estimates_take(estimates, ESTIMATE_OF_QUEUE, 0, "q"), 0);
    uint32_t again = estimates_take(estimates, ESTIMATE_OF_NAME, 1, "a");
    estimates_drop(estimates, again);
    ck_assert_uint_eq(estimates_take(estimates, ESTIMATE_OF_NAME, 1, "c"), 0);
    estimates_drop(estimates, again); /* nothing was learned of it: its place is free */
    ck_assert_uint_ne(estimates_take(estimates, ESTIMATE_OF_NAME, 1, "c"), 0);
    estimates_free(estimates);
}
END_TEST

START_TEST(what_was_stored_comes_back)
{
    struct estimates *first = estimates_new(10);
    struct estimates *second = estimates_new(10);
    struct estimate one;
    uint32_t number = estimates_take(first, ESTIMATE_OF_TYPE, 7, "image");
    for (int i = 1; i <= 20; i++)
        estimates_learn(first, number, MS(100 * i), MS(90), i);
    ck_assert(estimates_next_learned(first, &one));
    ck_assert_int_eq(one.learned_at, 20);
    estimates_restore(second, &one);
    ck_assert(!estimates_next_learned(first, &one));
    ck_assert(!estimates_next_learned(second, &one));
    uint32_t same = estimates_take(second, ESTIMATE_OF_TYPE, 7, "image");
    ck_assert_int_eq(estimates_published(second, same), MS(1100)); /* at 15: 800; at 18: 1100 */
    ck_assert_int_eq(estimates_published(first, number), estimates_published(second, same));
    estimates_free(first);
    estimates_free(second);
}
END_TEST

/* Jobs by class; class 0 has no estimate. */
static int64_t of_class(void *arg, const struct job *job)
{
    const int64_t *estimates = arg;
    return estimates[job->class];
}

/* 5,000 waiting jobs of 8 classes, with estimates that change all the time while jobs come and go:
 * what goes first is always the shortest. */
START_TEST(waiting_jobs_follow)
{
    enum { COUNT = 5000, CLASSES = 8 };
    const struct scheduler_options options = {.total = {.amount = {[RESOURCE_CPUS] = 1}},
                                              .queue = {.policy = QUEUE_SJF}};
    const struct resources wanted = {.amount = {[RESOURCE_CPUS] = 1}};
    struct scheduler *scheduler = scheduler_new(&options);
    struct jobset *set = jobset_new(scheduler);
    int64_t estimates[CLASSES] = {ESTIMATE_UNKNOWN};
    unsigned seed = 1;
    for (uint64_t id = 1; id <= COUNT; id++) {
        const struct job job = {
            .id = id, .class = (uint32_t)(id % CLASSES), .estimate_us = ESTIMATE_UNKNOWN};
        (void)jobset_add(set, &job, &wanted, JOBSET_PLAIN, JOB_STATE_PENDING, 0);
    }
    for (int round = 0; round < COUNT / 10; round++) {
        uint32_t at = 0;
        estimates[1 + rand_r(&seed) % (CLASSES - 1)] = SECONDS(1 + rand_r(&seed) % 1000);
        do
            jobset_estimate(set, &at, 700, of_class, estimates, 0);
        while (at != 0);
        for (int i = 0; i < 10; i++) {
            struct job *job = scheduler_first(scheduler);
            struct job *other = jobset_find(set, (uint64_t)(1 + rand_r(&seed) % COUNT));
            ck_assert_int_eq(job->estimate_us, of_class(estimates, job));
            ck_assert(other == NULL || other->estimate_us > job->estimate_us ||
                      (other->estimate_us == job->estimate_us && other->id >= job->id));
            ck_assert_int_eq(jobset_move(set, job, JOB_EVENT_CANCEL, 0), 0);
            jobset_remove(set, job);
        }
    }
    ck_assert_ptr_null(scheduler_first(scheduler));
    jobset_free(set);
    scheduler_free(scheduler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("estimates");
    TCase *all = tcase_create("all");
    tcase_add_test(all, the_median_of_the_last_fifteen);
    tcase_add_test(all, outliers_do_not_move_it_and_a_change_does);
    tcase_add_test(all, errors_by_hand);
    tcase_add_test(all, published_in_few_steps);
    tcase_add_test(all, milliseconds_are_noise);
    tcase_add_test(all, classes_are_apart_and_queues_have_the_mean);
    tcase_add_test(all, a_user_with_many_names_loses_only_his_own);
    tcase_add_test(all, what_jobs_need_stays);
    tcase_add_test(all, what_was_stored_comes_back);
    tcase_add_test(all, waiting_jobs_follow);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
