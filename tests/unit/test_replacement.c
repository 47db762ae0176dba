/* What dies again and again is made anew after a growing pause. */
#include "common/clock.h"
#include "daemon/exec/replacement.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define S US_PER_SECOND

START_TEST(the_pause_grows_to_a_minute)
{
    static const int64_t pauses[] = {0, 1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct replacement replacement = {0};
    int64_t now = 1000 * S;
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        replacement_died(&replacement, now, true, now);
        ck_assert_int_eq(replacement.next_at, now + pauses[i] * S);
        ck_assert(!replacement_may(&replacement, 0, now + pauses[i] * S - 1));
        ck_assert(replacement_may(&replacement, 0, now + pauses[i] * S));
        ck_assert(!replacement_may(&replacement, 1, now + 1000 * S));
        now += 100 * S;
    }
    replacement_well(&replacement);
    ck_assert(replacement_may(&replacement, 5, now));
    ck_assert_uint_eq(replacement.deaths, 10);
}
END_TEST

START_TEST(those_made_together_count_as_one)
{
    struct replacement replacement = {0};
    for (int i = 0; i < 16; i++)
        replacement_died(&replacement, 10 * S, true, (11 + i) * S);
    ck_assert_uint_eq(replacement.deaths, 16);
    ck_assert_uint_eq(replacement.row, 1);
}
END_TEST

START_TEST(a_late_death_costs_no_pause)
{
    struct replacement replacement = {0};
    for (int i = 0; i < 5; i++)
        replacement_died(&replacement, i * 1000 * S, false, (i * 1000 + 900) * S);
    ck_assert(replacement_may(&replacement, 3, 5000 * S));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replacement");
    TCase *all = tcase_create("all");
    tcase_add_test(all, the_pause_grows_to_a_minute);
    tcase_add_test(all, those_made_together_count_as_one);
    tcase_add_test(all, a_late_death_costs_no_pause);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
