/* Array specifications: what is accepted, and that index and position follow from each other. */
#include "daemon/core/array_spec.h"
#include "daemon/core/fails_limit.h"
#include "daemon/core/task_ranges.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(ranges_steps_lists_and_limit)
{
    static const uint64_t indices[] = {0, 5, 10, 20, 21, 22, 30};
    struct array_spec spec;
    ck_assert_int_eq(array_spec_parse("0-11:5,20-22,30%4", 100, &spec, NULL), 0);
    ck_assert_uint_eq(spec.total, sizeof(indices) / sizeof(indices[0]));
    ck_assert_uint_eq(spec.limit, 4);
    for (uint64_t position = 0; position < spec.total; position++) {
        uint64_t back = 99;
        ck_assert_uint_eq(array_spec_index(&spec, position), indices[position]);
        ck_assert(array_spec_position(&spec, indices[position], &back));
        ck_assert_uint_eq(back, position);
    }
    uint64_t unused;
    ck_assert(!array_spec_position(&spec, 3, &unused));
    ck_assert(!array_spec_position(&spec, 11, &unused));
    ck_assert(!array_spec_position(&spec, 31, &unused));
    array_spec_done(&spec);
}
END_TEST

START_TEST(a_million_tasks_are_one_range)
{
    struct array_spec spec;
    ck_assert_int_eq(array_spec_parse("1-1000000", 1000000, &spec, NULL), 0);
    ck_assert_uint_eq(spec.range_count, 1);
    ck_assert_uint_eq(array_spec_index(&spec, 999999), 1000000);
    array_spec_done(&spec);
}
END_TEST

START_TEST(refused_with_the_field_named)
{
    static const char *const wrong[] = {"",
                                        "a",
                                        "-1",
                                        "1-",
                                        "5-3",
                                        "0-9:0",
                                        "5:2",
                                        "1,",
                                        ",1",
                                        "1,1",
                                        "3,2",
                                        "0-5,5-9",
                                        "0-9%0",
                                        "0-9%",
                                        "0-9%x",
                                        "1 2",
                                        "0-1099511627776",
                                        "0x10",
                                        "1.5",
                                        "0-9:2:2"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct array_spec spec = {.total = 77};
        struct error err = {.code = ERROR_NONE};
        ck_assert_msg(array_spec_parse(wrong[i], 1000, &spec, &err) < 0, "%s", wrong[i]);
        ck_assert_str_eq(err.field, "array");
        ck_assert_uint_eq(spec.total, 77);
    }
    struct array_spec spec;
    struct error err;
    ck_assert_int_lt(array_spec_parse("0-1000", 1000, &spec, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "1001 tasks; the limit is 1000 (daemon.array_max"));
    ck_assert_int_lt(array_spec_parse("0-1099511627775", 1000, &spec, &err), 0);
    ck_assert_ptr_nonnull(
        strstr(err.text, "1099511627776 tasks; the limit is 1000 (daemon.array_"));
    ck_assert_int_lt(array_spec_parse("4294967296", 1000, &spec, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "0 to 4294967295"));
    ck_assert_int_lt(array_spec_parse("0,5-3", 1000, &spec, &err), 0);
    ck_assert_str_eq(err.text,
                     "array \"0,5-3\" must have in 5-3 a first index that does not exceed the "
                     "last");
}
END_TEST

/* ---- sets of tasks ---- */

START_TEST(tasks_are_selected_by_their_indices)
{
    static const struct {
        const char *array, *text;
        uint64_t count, first; /* 0: refused */
    } cases[] = {
        {"0-9", "1-3,9", 4, 1},
        {"0-9", "9", 1, 9},
        {"0-9", "10", 0, 0},
        {"0-30:2", "0-10", 6, 0},
        {"0-30:2", "1", 0, 0},
        {"0-30:2", "1-3", 1, 1},
        {"0-999999", "0-999999:2", 0, 0},
        {"0-30:2", "0-30:4", 8, 0},
        {"0-30:4", "0-30:2", 8, 0},
        {"0-9,20-29", "5-24", 10, 5},
        {"0-9", "5-100", 5, 5},
        {"0-9", "3,2", 0, 0},
        {"0-9", "0-3%2", 0, 0},
        {"1-9:2,20", "0-9,20", 6, 0},
        {"0-100:7", "0-100:5", 3, 0},
        {"0-999999:3", "2-999999:3", 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct array_spec spec;
        struct task_ranges set = {.count = 77};
        struct error err;
        ck_assert_int_eq(array_spec_parse(cases[i].array, 1000000, &spec, NULL), 0);
        int result = task_ranges_select(&spec, cases[i].text, &set, &err);
        ck_assert_msg((result == 0) == (cases[i].count > 0), "%s of %s", cases[i].text,
                      cases[i].array);
        if (result < 0) {
            ck_assert_str_eq(err.field, "indices");
            ck_assert_uint_eq(set.count, 77);
        } else {
            ck_assert_msg(task_ranges_count(&set, 0) == cases[i].count, "%s of %s: %llu",
                          cases[i].text, cases[i].array,
                          (unsigned long long)task_ranges_count(&set, 0));
            ck_assert_uint_eq(set.ranges[0].first, cases[i].first);
            task_ranges_done(&set);
        }
        array_spec_done(&spec);
    }
}
END_TEST

/* Any set of indices, added one by one, comes back from its text. */
START_TEST(built_specifications_read_back)
{
    unsigned seed = 3;
    for (int round = 0; round < 2000; round++) {
        struct array_spec built = {.limit = 3};
        struct array_spec back;
        uint64_t indices[30];
        uint64_t next = 0;
        for (size_t i = 0; i < 30; i++) {
            indices[i] = next + (uint64_t)rand_r(&seed) % 3;
            next = indices[i] + 1;
            const struct array_range one = {.first = indices[i], .last = indices[i], .step = 1};
            ck_assert_int_eq(array_spec_append(&built, &one), 0);
        }
        char *text = array_spec_format(&built);
        ck_assert_int_eq(array_spec_parse(text, 30, &back, NULL), 0);
        ck_assert_uint_eq(back.total, 30);
        ck_assert_uint_eq(back.limit, 3);
        for (uint64_t i = 0; i < 30; i++)
            ck_assert_uint_eq(array_spec_index(&back, i), indices[i]);
        free(text);
        array_spec_done(&built);
        array_spec_done(&back);
    }
}
END_TEST

START_TEST(steps_are_found)
{
    static const struct array_range parts[] = {
        {1, 1, 1, 0}, {3, 3, 1, 0}, {5, 9, 2, 0}, {10, 20, 1, 0}, {21, 21, 1, 0}};
    struct array_spec spec = {.ranges = NULL};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        ck_assert_int_eq(array_spec_append(&spec, &parts[i]), 0);
    char *text = array_spec_format(&spec);
    ck_assert_str_eq(text, "1-9:2,10-21");
    ck_assert_uint_eq(spec.total, 5 + 12);
    free(text);
    array_spec_done(&spec);
}
END_TEST

START_TEST(arrays_of_the_same_tasks)
{
    static const struct {
        const char *a, *b;
        bool same;
    } table[] = {
        {"0-9", "0-9%2", true},         {"0-3", "0,1,2,3", true},     {"0,2-3", "0-2:2,3", true},
        {"0-9", "0-8,9", true},         {"0-9", "1-10", false},       {"0-9", "0-8", false},
        {"0-4:2,5", "0,2,4-5", true},   {"0-4:2", "0-2,4", false},    {"0-4:2,9", "0-4:2,8", false},
        {"0-6:3,7-8", "0,3,6-8", true}, {"0-6:3,7", "0-4:2,7", false}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct array_spec a;
        struct array_spec b;
        ck_assert_int_eq(array_spec_parse(table[i].a, 100, &a, NULL), 0);
        ck_assert_int_eq(array_spec_parse(table[i].b, 100, &b, NULL), 0);
        ck_assert_msg(array_spec_same_tasks(&a, &b) == table[i].same, "%s", table[i].a);
        ck_assert_msg(array_spec_same_tasks(&b, &a) == table[i].same, "%s", table[i].a);
        array_spec_done(&a);
        array_spec_done(&b);
    }
}
END_TEST

START_TEST(limits_of_failures)
{
    static const char *const wrong[] = {"",    "%",          "x",   "-1",  "101%",
                                        "1.5", "4294967296", "3 %", "10%%"};
    struct fails_limit limit = {.kind = FAILS_ANY};
    struct error err;
    char text[24];
    ck_assert(!fails_limit_passed(&limit, 1000, 1000));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_msg(fails_limit_parse(wrong[i], &limit, &err) < 0, "%s", wrong[i]);
        ck_assert_str_eq(err.field, "max_fails");
        ck_assert_int_eq(limit.kind, FAILS_ANY);
    }
    ck_assert_int_eq(fails_limit_parse("3", &limit, &err), 0);
    ck_assert(!fails_limit_passed(&limit, 3, 4) && fails_limit_passed(&limit, 4, 4));
    ck_assert_int_eq(fails_limit_parse("10%", &limit, &err), 0);
    ck_assert(!fails_limit_passed(&limit, 1, 10) && fails_limit_passed(&limit, 2, 10));
    ck_assert(!fails_limit_passed(&limit, 0, 9) && fails_limit_passed(&limit, 1, 9));
    fails_limit_format(&limit, text, sizeof(text));
    ck_assert_str_eq(text, "10%");
}
END_TEST

#define PLACES 64U

static uint64_t bits_of(const struct task_ranges *set)
{
    uint64_t bits = 0;
    for (uint64_t at = 0; at < PLACES; at++)
        bits |= (uint64_t)task_ranges_has(set, at) << at;
    return bits;
}

/* Ranges that touch are one, in ascending order. */
static void assert_tidy(const struct task_ranges *set)
{
    for (size_t i = 0; i < set->count; i++) {
        ck_assert_uint_le(set->ranges[i].first, set->ranges[i].last);
        if (i > 0)
            ck_assert_uint_gt(set->ranges[i].first, set->ranges[i - 1].last + 1);
    }
}

START_TEST(sets_agree_with_bits)
{
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        struct task_ranges sets[3] = {{.ranges = NULL}, {.ranges = NULL}, {.ranges = NULL}};
        uint64_t bits[2] = {0, 0};
        for (int n = 0; n < 12; n++) {
            int which = n % 2;
            uint64_t first = (uint64_t)rand_r(&seed) % PLACES;
            uint64_t last = first + (uint64_t)rand_r(&seed) % 6;
            last = last < PLACES ? last : PLACES - 1;
            task_ranges_add(&sets[which], first, last);
            for (uint64_t at = first; at <= last; at++)
                bits[which] |= UINT64_C(1) << at;
            assert_tidy(&sets[which]);
            ck_assert_uint_eq(bits_of(&sets[which]), bits[which]);
        }
        uint64_t from = (uint64_t)rand_r(&seed) % PLACES;
        uint64_t wanted = bits[0] & ~bits[1] & ~((UINT64_C(1) << from) - 1);
        uint64_t skipped = from;
        uint64_t found = 0;
        struct task_range next;
        for (uint64_t at = from; task_ranges_next(&sets[0], &sets[1], at, &next);
             at = next.last + 1) {
            ck_assert(next.first >= at && next.first <= next.last);
            for (uint64_t place = next.first; place <= next.last; place++)
                found |= UINT64_C(1) << place;
        }
        ck_assert_uint_eq(found, wanted);
        task_ranges_minus(&sets[0], from, &sets[1], &sets[2]);
        assert_tidy(&sets[2]);
        ck_assert_uint_eq(bits_of(&sets[2]), wanted);
        ck_assert_uint_eq(task_ranges_count(&sets[0], from),
                          (uint64_t)__builtin_popcountll(bits[0] >> from));
        while (skipped < PLACES && (bits[0] >> skipped & 1U) != 0)
            skipped++;
        ck_assert_uint_eq(task_ranges_skip(&sets[0], from), skipped);
        for (size_t i = 0; i < 3; i++)
            task_ranges_done(&sets[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("array_spec");
    TCase *all = tcase_create("all");
    tcase_add_test(all, ranges_steps_lists_and_limit);
    tcase_add_test(all, a_million_tasks_are_one_range);
    tcase_add_test(all, refused_with_the_field_named);
    tcase_add_test(all, tasks_are_selected_by_their_indices);
    tcase_add_test(all, sets_agree_with_bits);
    tcase_add_test(all, built_specifications_read_back);
    tcase_add_test(all, steps_are_found);
    tcase_add_test(all, arrays_of_the_same_tasks);
    tcase_add_test(all, limits_of_failures);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
