/* When a job is warned, halted, told to end and killed: its time stands while it is suspended. */
#include "common/clock.h"
#include "worker/timetable.h"
#include "tests/unit/suite.h"

#include <check.h>

#define S US_PER_SECOND

static struct timetable begun(uint64_t timeout_ms, uint64_t warn_ms)
{
    const struct job_run run = {
        .timeout_ms = timeout_ms, .warn_ms = warn_ms, .warn_signal = warn_ms > 0 ? 10 : 0};
    struct timetable table;
    timetable_begin(&table, &run, 100 * S);
    return table;
}

START_TEST(without_limits_nothing_is_due)
{
    struct timetable table = begun(0, 0);
    ck_assert_int_eq(timetable_due(&table, INT64_MAX / 2), DUE_NOTHING);
    ck_assert_int_eq(timetable_next(&table), INT64_MAX);
}
END_TEST

START_TEST(warned_once_then_ended)
{
    struct timetable table = begun(60000, 10000);
    ck_assert_int_eq(timetable_next(&table), 150 * S);
    ck_assert_int_eq(timetable_due(&table, 150 * S - 1), DUE_NOTHING);
    ck_assert_int_eq(timetable_due(&table, 150 * S), DUE_WARNING);
    ck_assert_int_eq(timetable_due(&table, 150 * S), DUE_NOTHING);
    ck_assert_int_eq(timetable_next(&table), 160 * S);
    ck_assert_int_eq(timetable_due(&table, 160 * S), DUE_TIMEOUT);
    timetable_stop(&table, 160 * S, 165 * S);
    ck_assert_int_eq(timetable_due(&table, 164 * S), DUE_NOTHING);
    ck_assert_int_eq(timetable_next(&table), 165 * S);
    ck_assert_int_eq(timetable_due(&table, 165 * S), DUE_KILL);
}
END_TEST

START_TEST(time_stands_while_suspended)
{
    struct timetable table = begun(60000, 10000);
    timetable_suspend(&table, 122 * S);
    ck_assert_int_eq(timetable_next(&table), 122 * S);
    ck_assert_int_eq(timetable_due(&table, 121 * S), DUE_NOTHING);
    ck_assert_int_eq(timetable_due(&table, 122 * S), DUE_HALT);
    timetable_halt(&table, 122 * S);
    ck_assert_int_eq(timetable_next(&table), INT64_MAX);
    ck_assert_int_eq(timetable_due(&table, 100000 * S), DUE_NOTHING);
    timetable_resume(&table, 1000 * S);
    ck_assert_int_eq(timetable_ran_us(&table, 1001 * S), 23 * S);
    ck_assert_int_eq(timetable_next(&table), 1028 * S); /* 50 - 22 later */
    ck_assert_int_eq(timetable_due(&table, 1028 * S), DUE_WARNING);
    ck_assert_int_eq(timetable_due(&table, 1038 * S), DUE_TIMEOUT);
}
END_TEST

START_TEST(resumed_before_it_was_halted)
{
    struct timetable table = begun(60000, 0);
    timetable_suspend(&table, 122 * S);
    timetable_resume(&table, 121 * S);
    ck_assert_int_eq(timetable_due(&table, 130 * S), DUE_NOTHING);
    ck_assert_int_eq(timetable_due(&table, 160 * S), DUE_TIMEOUT);
}
END_TEST

START_TEST(told_to_end_while_suspended)
{
    struct timetable table = begun(60000, 0);
    timetable_suspend(&table, 110 * S);
    timetable_halt(&table, 110 * S);
    timetable_stop(&table, 200 * S, 205 * S);
    ck_assert_int_eq(timetable_ran_us(&table, 201 * S), 11 * S);
    ck_assert_int_eq(timetable_due(&table, 204 * S), DUE_NOTHING);
    timetable_stop(&table, 204 * S, 300 * S); /* later: does not count */
    ck_assert_int_eq(timetable_next(&table), 205 * S);
    timetable_stop(&table, 204 * S, 204 * S);
    ck_assert_int_eq(timetable_due(&table, 204 * S), DUE_KILL);
}
END_TEST

START_TEST(a_warning_as_long_as_the_limit_comes_at_once)
{
    struct timetable table = begun(5000, 60000);
    ck_assert_int_eq(timetable_due(&table, 100 * S), DUE_WARNING);
    ck_assert_int_eq(timetable_next(&table), 105 * S);
}
END_TEST

START_TEST(what_comes_behind_a_job_has_an_end)
{
    struct timetable none = begun(0, 0);
    struct timetable much = begun(1000000, 0);
    struct timetable little = begun(60000, 0);
    timetable_shorten(&none, 600 * S);
    timetable_shorten(&much, 600 * S);
    timetable_shorten(&little, 600 * S);
    ck_assert_int_eq(timetable_next(&none), 700 * S);
    ck_assert_int_eq(timetable_next(&much), 700 * S);
    ck_assert_int_eq(timetable_next(&little), 160 * S);
    ck_assert_int_eq(timetable_due(&none, 700 * S), DUE_TIMEOUT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timetable");
    TCase *all = tcase_create("all");
    tcase_add_test(all, without_limits_nothing_is_due);
    tcase_add_test(all, what_comes_behind_a_job_has_an_end);
    tcase_add_test(all, warned_once_then_ended);
    tcase_add_test(all, time_stands_while_suspended);
    tcase_add_test(all, resumed_before_it_was_halted);
    tcase_add_test(all, told_to_end_while_suspended);
    tcase_add_test(all, a_warning_as_long_as_the_limit_comes_at_once);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
