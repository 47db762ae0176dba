/* Array specifications: what is accepted, and that index and position follow from each other. */
#include "daemon/core/array_spec.h"

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
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("array_spec");
    TCase *all = tcase_create("all");
    tcase_add_test(all, ranges_steps_lists_and_limit);
    tcase_add_test(all, a_million_tasks_are_one_range);
    tcase_add_test(all, refused_with_the_field_named);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
