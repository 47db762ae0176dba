/* Runs of schedules are found again in whatever order they end, each once. */
#include "daemon/engine/schedule_runs.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

START_TEST(each_once)
{
    enum { COUNT = 200000, STEP = 7919 };
    struct schedule_runs runs = {.run = NULL};
    ck_assert_uint_eq(schedule_runs_take(&runs, 1), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        schedule_runs_add(&runs, 10 + 2 * i, 1 + i % 3);
    for (uint64_t n = 0; n < COUNT; n++) {
        const uint64_t i = n * STEP % COUNT; /* a prime: each of them once */
        ck_assert_uint_eq(schedule_runs_take(&runs, 11 + 2 * i), 0);
        ck_assert_uint_eq(schedule_runs_take(&runs, 10 + 2 * i), 1 + i % 3);
        ck_assert_uint_eq(schedule_runs_take(&runs, 10 + 2 * i), 0);
    }
    ck_assert_uint_lt(runs.count, 200);
    schedule_runs_done(&runs);
}
END_TEST

START_TEST(those_of_a_start_come_in_any_order)
{
    struct schedule_runs runs = {.run = NULL};
    schedule_runs_sort(&runs);
    for (uint64_t i = 0; i < 1000; i++)
        schedule_runs_add(&runs, 1 + i * 7 % 1000, 5);
    schedule_runs_sort(&runs);
    schedule_runs_add(&runs, 1001, 6);
    for (uint64_t i = 1; i <= 1000; i++)
        ck_assert_uint_eq(schedule_runs_take(&runs, i), 5);
    ck_assert_uint_eq(schedule_runs_take(&runs, 1001), 6);
    schedule_runs_done(&runs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule_runs");
    TCase *all = tcase_create("all");
    tcase_add_test(all, each_once);
    tcase_add_test(all, those_of_a_start_come_in_any_order);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
