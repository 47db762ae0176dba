/* Deadlines come in their order, and those of ended jobs do not pile up. */
#include "daemon/core/deadlines.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

static bool all_open(const void *arg, uint64_t job)
{
    (void)arg;
    (void)job;
    return true;
}

static bool is_last(const void *arg, uint64_t job)
{
    return job == *(const uint64_t *)arg;
}

static void add(struct deadlines *set, uint64_t job, int64_t at)
{
    const struct deadline deadline = {.at = at, .job = job};
    deadlines_add(set, &deadline, all_open, NULL);
}

START_TEST(in_their_order)
{
    enum { COUNT = 1000 };
    struct deadlines set = {.entries = NULL};
    struct deadline next = {0};
    for (uint64_t i = 0; i < COUNT; i++)
        add(&set, i, (int64_t)(i * 7919 % 101));
    int64_t at = -1;
    uint64_t job = 0;
    size_t count = 0;
    ck_assert(!deadlines_take(&set, -1, &next));
    for (; deadlines_take(&set, 50, &next); count++) {
        ck_assert_int_le(next.at, 50);
        ck_assert(next.at > at || (next.at == at && next.job > job));
        at = next.at;
        job = next.job;
        ck_assert_int_eq(next.at, (int64_t)(next.job * 7919 % 101));
    }
    while (deadlines_take(&set, INT64_MAX, &next))
        count++;
    ck_assert_uint_eq(count, COUNT);
    deadlines_done(&set);
}
END_TEST

START_TEST(what_ended_does_not_pile_up)
{
    struct deadlines set = {.entries = NULL};
    struct deadline next;
    for (uint64_t job = 1; job <= 100000; job++) {
        const struct deadline deadline = {.at = INT64_MAX - (int64_t)job, .job = job};
        deadlines_add(&set, &deadline, is_last, &job);
    }
    ck_assert_uint_le(set.room, 64);
    ck_assert(deadlines_take(&set, INT64_MAX, &next) && next.job == 100000);
    deadlines_done(&set);
}
END_TEST

START_TEST(what_is_changed_does_not_pile_up)
{
    struct deadlines set = {.entries = NULL};
    struct deadline job = {.at = 1000000, .job = 7};
    for (uint64_t other = 100; other < 110; other++)
        add(&set, other, (int64_t)other);
    deadlines_remove(&set, &job); /* it is not here */
    add(&set, job.job, job.at);
    for (unsigned i = 0; i < 100000; i++) {
        deadlines_remove(&set, &job);
        job.at++;
        add(&set, job.job, job.at);
    }
    ck_assert_uint_eq(set.count, 11);
    ck_assert_uint_le(set.room, 64);
    deadlines_done(&set);
}
END_TEST

/* Half of them, from all over the heap: the others come in their order still. */
START_TEST(the_others_keep_their_order)
{
    enum { COUNT = 2000 };
    struct deadlines set = {.entries = NULL};
    struct deadline next = {0};
    int64_t before = -1;
    size_t count = 0;
    for (uint64_t i = 0; i < COUNT; i++)
        add(&set, i, (int64_t)(i * 7919 % 1009));
    for (uint64_t i = 0; i < COUNT; i += 2) {
        const struct deadline gone = {.at = (int64_t)(i * 7919 % 1009), .job = i};
        deadlines_remove(&set, &gone);
    }
    for (; deadlines_take(&set, INT64_MAX, &next); count++) {
        ck_assert(next.job % 2 == 1 && next.at == (int64_t)(next.job * 7919 % 1009));
        ck_assert(next.at >= before);
        before = next.at;
    }
    ck_assert_uint_eq(count, COUNT / 2);
    deadlines_done(&set);
}
END_TEST

START_TEST(all_open_ones_are_kept)
{
    struct deadlines set = {.entries = NULL};
    struct deadline next;
    for (uint64_t job = 1; job <= 10000; job++)
        add(&set, job, (int64_t)(10001 - job));
    for (uint64_t job = 10000; job >= 1; job--)
        ck_assert(deadlines_take(&set, 10000, &next) && next.job == job);
    ck_assert(!deadlines_take(&set, INT64_MAX, &next));
    deadlines_done(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadlines");
    TCase *all = tcase_create("all");
    tcase_add_test(all, in_their_order);
    tcase_add_test(all, what_ended_does_not_pile_up);
    tcase_add_test(all, what_is_changed_does_not_pile_up);
    tcase_add_test(all, the_others_keep_their_order);
    tcase_add_test(all, all_open_ones_are_kept);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
