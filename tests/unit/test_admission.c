/* Marks with hysteresis: what keeps jobs from starting, and that what goes up and down between the
 * marks changes nothing. */
#include "daemon/core/admission.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct admission with_memory(double stop, double go)
{
    return (struct admission){.marks = {[ADMISSION_MEMORY_USED] = {stop, go}}};
}

static bool see(struct admission *admission, double percent)
{
    admission_see(admission, ADMISSION_MEMORY_USED, true, percent);
    return admission_open(admission);
}

START_TEST(between_the_marks_nothing_changes)
{
    struct admission admission = with_memory(90, 80);
    ck_assert(see(&admission, 89.9));
    ck_assert(!see(&admission, 90));
    ck_assert(!see(&admission, 80.1));
    ck_assert(!see(&admission, 100));
    ck_assert(see(&admission, 80));
    ck_assert(see(&admission, 89.9));
    ck_assert(!see(&admission, 90));
}
END_TEST

START_TEST(one_is_enough_and_all_must_be_well)
{
    struct admission admission = {
        .marks = {[ADMISSION_MEMORY_USED] = {90, 80}, [ADMISSION_IO_PRESSURE] = {50, 20}}};
    admission_see(&admission, ADMISSION_IO_PRESSURE, true, 60);
    ck_assert(!see(&admission, 95));
    ck_assert(!see(&admission, 10));
    admission_see(&admission, ADMISSION_IO_PRESSURE, true, 20);
    ck_assert(admission_open(&admission));
}
END_TEST

START_TEST(one_between_the_marks)
{
    struct admission admission = with_memory(90, 80);
    ck_assert(admission_open_for_one(&admission));
    ck_assert(!see(&admission, 90) && !admission_open_for_one(&admission));
    ck_assert(!see(&admission, 89) && admission_open_for_one(&admission));
    ck_assert(!see(&admission, 95) && !admission_open_for_one(&admission));
    admission_see(&admission, ADMISSION_MEMORY_USED, false, 99);
    ck_assert(admission_open_for_one(&admission));
}
END_TEST

START_TEST(what_is_off_or_unknown_stops_nobody)
{
    struct admission admission = with_memory(90, 80);
    admission_see(&admission, ADMISSION_CPU_PRESSURE, true, 100); /* without marks */
    ck_assert(admission_open(&admission));
    ck_assert(!see(&admission, 95));
    admission_see(&admission, ADMISSION_MEMORY_USED, false, 99);
    ck_assert(admission_open(&admission));
}
END_TEST

/* A day in steps of two seconds: a slow swing across both marks, as often as `swings`, and noise of
 * less than their distance upon it. Each swing stops and lets go once; the noise adds none. */
START_TEST(a_noisy_day)
{
    enum { STEPS = 43200 };
    const unsigned swings = 12;
    unsigned changes = 0;
    struct admission admission = with_memory(70, 50);
    bool was = true;
    srand(7); /* NOLINT: any noise will do */
    for (unsigned i = 0; i < STEPS; i++) {
        const double swing = 60 - 30 * cos(2 * M_PI * swings * i / STEPS);
        const double noise = 19.0 * rand() / RAND_MAX - 9.5; /* NOLINT */
        const bool is = see(&admission, fmin(100, fmax(0, swing + noise)));
        changes += is != was;
        was = is;
    }
    ck_assert_uint_eq(changes, 2 * swings);
}
END_TEST

/* Figures tell late of what was started: twice as many run by each sample, up to half of what ran,
 * and one more by each fifth. */
START_TEST(after_a_stop_a_few_at_a_time)
{
    static const uint64_t limits[] = {1, 2, 4, 8, 10};
    struct admission admission = with_memory(90, 80);
    admission_end_sample(&admission, 3);
    ck_assert(admission_takes(&admission, 1000000)); /* nothing was short */
    ck_assert(!see(&admission, 95));
    admission_end_sample(&admission, 20);
    admission_end_sample(&admission, 3); /* those that ran are ending */
    ck_assert(!admission_takes(&admission, 0));
    ck_assert(see(&admission, 70));
    uint64_t running = 0;
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        admission_end_sample(&admission, running);
        ck_assert(admission_takes(&admission, limits[i] - 1));
        ck_assert(!admission_takes(&admission, limits[i]));
        running = limits[i];
    }
    for (unsigned i = 0; i < ADMISSION_OPENING - 6; i++) {
        admission_end_sample(&admission, running);
        if (admission_takes(&admission, running))
            running++;
        ck_assert(!admission_takes(&admission, running));
    }
    ck_assert_uint_eq(running, 10 + (ADMISSION_OPENING - 5) / 5);
    admission_end_sample(&admission, running);
    admission_end_sample(&admission, running);
    ck_assert(admission_takes(&admission, 1000000));
}
END_TEST

/* Little ran as it was short: others made it so. */
START_TEST(after_a_stop_that_others_made)
{
    static const uint64_t limits[] = {1, 2, 4};
    struct admission admission = with_memory(90, 80);
    ck_assert(!see(&admission, 95));
    admission_end_sample(&admission, 0);
    ck_assert(see(&admission, 70));
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        admission_end_sample(&admission, i == 0 ? 0 : limits[i - 1]);
        ck_assert(admission_takes(&admission, limits[i] - 1));
        ck_assert(!admission_takes(&admission, limits[i]));
    }
}
END_TEST

START_TEST(what_ends_is_replaced_at_once)
{
    struct admission admission = with_memory(90, 80);
    ck_assert(!see(&admission, 95));
    admission_end_sample(&admission, 40);
    ck_assert(see(&admission, 70));
    admission_end_sample(&admission, 8);
    ck_assert(!admission_takes(&admission, 16) && admission_takes(&admission, 8));
    ck_assert(!see(&admission, 95)); /* short again: from the beginning */
    admission_end_sample(&admission, 12);
    ck_assert(see(&admission, 70));
    admission_end_sample(&admission, 5);
    ck_assert(!admission_takes(&admission, 6) && admission_takes(&admission, 5));
}
END_TEST

/* The less the worse, and it is not known while something else supplies the machine. */
START_TEST(a_battery)
{
    struct admission admission = {.marks = {[ADMISSION_BATTERY] = {20, 30}}};
    static const struct {
        bool known, open;
        double percent;
    } seen[] = {{true, true, 21},  {true, false, 20},  {true, false, 29}, {true, true, 30},
                {true, true, 21},  {true, false, 3},   {false, true, 3},  {true, false, 3},
                {true, true, 100}, {true, false, 19.9}};
    for (unsigned i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
        admission_see(&admission, ADMISSION_BATTERY, seen[i].known, seen[i].percent);
        ck_assert_int_eq(admission_open(&admission), seen[i].open);
    }
    ck_assert(!admission_open_for_one(&admission));
    admission_see(&admission, ADMISSION_BATTERY, true, 25);
    ck_assert(admission_open_for_one(&admission));
    admission = (struct admission){.marks = {[ADMISSION_BATTERY] = {100, 100}}};
    admission_see(&admission, ADMISSION_BATTERY, true, 100);
    ck_assert(!admission_open(&admission));
}
END_TEST

START_TEST(a_restart_remembers)
{
    struct admission before = with_memory(90, 80);
    ck_assert(!see(&before, 95) && !see(&before, 85));
    struct admission after = with_memory(90, 80);
    admission_restore(&after, admission_stopped(&before));
    ck_assert(!see(&after, 85) && see(&after, 80));
    ck_assert_uint_eq(admission_stopped(&after), 0);
    after = (struct admission){.stopped = {false}}; /* it is not looked at any more */
    admission_restore(&after, admission_stopped(&before));
    ck_assert(see(&after, 85));
}
END_TEST

START_TEST(how_falling_marks_are_written)
{
    struct error err;
    struct admission_marks marks;
    ck_assert_int_eq(admission_marks_parse("20:30", true, &marks, &err), 0);
    ck_assert(marks.stop == 20 && marks.go == 30);
    ck_assert_int_eq(admission_marks_parse("100:100", true, &marks, &err), 0);
    ck_assert_int_eq(admission_marks_parse("30:20", true, &marks, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "1 <= STOP <= GO <= 100"));
    ck_assert_int_eq(admission_marks_parse("20:101", true, &marks, &err), -1);
    ck_assert_int_eq(admission_marks_parse("0:10", true, &marks, &err), -1);
}
END_TEST

static const struct {
    const char *text;
    double stop, go; /* -1: refused */
} texts[] = {{"95:90", 95, 90},  {"off", 0, 0},   {"100:1", 100, 1}, {"50:50", 50, 50},
             {"90:95", -1, 0},   {"95", -1, 0},   {"95:", -1, 0},    {":90", -1, 0},
             {"0:0", -1, 0},     {"90:0", -1, 0}, {"101:90", -1, 0}, {"95:90:80", -1, 0},
             {"95.5:90", -1, 0}, {"", -1, 0},     {"OFF", -1, 0},    {"00000000095:90", -1, 0}};

START_TEST(how_marks_are_written)
{
    struct error err;
    struct admission_marks marks;
    const bool right = texts[_i].stop >= 0;
    ck_assert_int_eq(admission_marks_parse(texts[_i].text, false, &marks, &err), right ? 0 : -1);
    if (right) {
        ck_assert(marks.stop == texts[_i].stop && marks.go == texts[_i].go);
        return;
    }
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, texts[_i].text));
    ck_assert_ptr_nonnull(strstr(err.text, "1 <= GO <= STOP <= 100"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admission");
    TCase *all = tcase_create("all");
    tcase_add_test(all, between_the_marks_nothing_changes);
    tcase_add_test(all, one_is_enough_and_all_must_be_well);
    tcase_add_test(all, one_between_the_marks);
    tcase_add_test(all, what_is_off_or_unknown_stops_nobody);
    tcase_add_test(all, a_noisy_day);
    tcase_add_test(all, after_a_stop_a_few_at_a_time);
    tcase_add_test(all, after_a_stop_that_others_made);
    tcase_add_test(all, what_ends_is_replaced_at_once);
    tcase_add_test(all, a_battery);
    tcase_add_test(all, a_restart_remembers);
    tcase_add_test(all, how_falling_marks_are_written);
    tcase_add_loop_test(all, how_marks_are_written, 0, (int)(sizeof(texts) / sizeof(texts[0])));
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
