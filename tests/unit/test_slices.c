/* Long readings in parts: one part in a turn of the loop, round robin, so many for one user. */
#include "daemon/api/slices.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <event2/event.h>
#include <stdlib.h>

enum { MOST = 2, USERS = 3, PARTS = 5 };

struct reading {
    struct slice *slice;
    unsigned parts;
    unsigned *turns; /* parts read by all */
};

static void read_part(void *arg)
{
    struct reading *reading = arg;
    ++*reading->turns;
    if (++reading->parts < PARTS)
        return;
    slice_free(reading->slice);
    reading->slice = NULL;
}

START_TEST(one_part_a_turn_round_robin)
{
    struct event_base *base = event_base_new();
    struct slices *all = slices_new(base, MOST);
    struct reading readings[USERS * MOST] = {{.slice = NULL}};
    unsigned turns = 0;
    struct error err;
    for (uint32_t i = 0; i < USERS * MOST; i++) {
        readings[i].turns = &turns;
        readings[i].slice = slice_new(all, i / MOST, read_part, &readings[i], &err);
        ck_assert_ptr_nonnull(readings[i].slice);
    }
    for (unsigned turn = 1; turn <= USERS * MOST * PARTS; turn++) {
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
        ck_assert_uint_eq(turns, turn);
        for (unsigned i = 0; i < USERS * MOST; i++)
            ck_assert_uint_eq(readings[i].parts, (turn + USERS * MOST - 1 - i) / (USERS * MOST));
    }
    for (unsigned i = 0; i < USERS * MOST; i++)
        ck_assert_ptr_null(readings[i].slice);
    slices_free(all);
    event_base_free(base);
}
END_TEST

START_TEST(so_many_for_one_user)
{
    struct event_base *base = event_base_new();
    struct slices *all = slices_new(base, MOST);
    struct slice *slices[MOST + 1];
    struct error err;
    for (unsigned i = 0; i < MOST; i++)
        slices[i] = slice_new(all, 7, read_part, NULL, &err);
    ck_assert_ptr_null(slice_new(all, 7, read_part, NULL, &err));
    ck_assert_int_eq(err.code, ERROR_BUSY);
    slices[MOST] = slice_new(all, 8, read_part, NULL, &err); /* another's are counted apart */
    ck_assert_ptr_nonnull(slices[MOST]);
    slice_free(slices[0]);
    slices[0] = slice_new(all, 7, read_part, NULL, &err);
    ck_assert_ptr_nonnull(slices[0]);
    for (unsigned i = 0; i <= MOST; i++)
        slice_free(slices[i]);
    slices_free(all);
    event_base_free(base);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slices");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, one_part_a_turn_round_robin);
    tcase_add_test(tests, so_many_for_one_user);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
