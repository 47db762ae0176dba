/* Parts of the machine in a minute: their figures are what was added, however they are joined, and
 * there are only so many. */
#include "daemon/core/machine_parts.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>

START_TEST(mean_least_and_most)
{
    static const uint64_t values[] = {7, 3, 9, 5};
    struct machine_range whole = {0}, halves[2] = {{0}, {0}};
    for (unsigned i = 0; i < 4; i++) {
        machine_range_add(&whole, values[i]);
        machine_range_add(&halves[i / 2], values[i]);
    }
    machine_range_join(&halves[1], &(struct machine_range){0}); /* nothing was known */
    machine_range_join(&halves[0], &halves[1]);
    for (unsigned i = 0; i < 2; i++) {
        const struct machine_range *range = i == 0 ? &whole : &halves[0];
        ck_assert_int_eq(range->count, 4);
        ck_assert_int_eq(range->sum, 24);
        ck_assert_int_eq(range->lowest, 3);
        ck_assert_int_eq(range->highest, 9);
    }
}
END_TEST

START_TEST(what_is_no_amount_is_left_out)
{
    struct machine_range range = {0};
    machine_range_add(&range, UINT64_MAX);
    ck_assert_int_eq(range.count, 0);
    machine_range_add(&range, INT64_MAX);
    machine_range_add(&range, 1);
    ck_assert_int_eq(range.count, 1);
    ck_assert_int_eq(range.sum, INT64_MAX);
    ck_assert_int_eq(range.lowest, INT64_MAX);
}
END_TEST

START_TEST(so_many_of_a_kind)
{
    struct machine_parts parts = {.count = 0};
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 2 * MACHINE_PARTS_OF_KIND; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "/%u", i);
            struct machine_part *disk = machine_parts_need(&parts, MACHINE_DISK, name);
            struct machine_part *gpu = machine_parts_need(&parts, MACHINE_GPU, name);
            ck_assert((disk != NULL) == (i < MACHINE_PARTS_OF_KIND) &&
                      (gpu == NULL) == (disk == NULL));
            if (disk == NULL)
                continue;
            ck_assert(disk != gpu);
            machine_range_add(&disk->figures[PART_FREE], i);
            ck_assert_int_eq(disk->figures[PART_FREE].count, turn + 1);
            ck_assert_int_eq(gpu->figures[PART_FREE].count, 0);
        }
    }
    ck_assert_uint_eq(parts.count, 2 * MACHINE_PARTS_OF_KIND);
    machine_parts_done(&parts);
    ck_assert_uint_eq(parts.count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("machine_parts");
    TCase *all = tcase_create("all");
    tcase_add_test(all, mean_least_and_most);
    tcase_add_test(all, what_is_no_amount_is_left_out);
    tcase_add_test(all, so_many_of_a_kind);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
