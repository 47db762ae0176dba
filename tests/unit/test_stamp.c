/* The number in the header of a store: its version and which log follows it. */
#include "daemon/store/stamp.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define VERSION 7U
#define LAST_LINK 0x7fffffU

static uint32_t stamp_of(uint32_t link)
{
    return link << 8U | VERSION;
}

START_TEST(links_go_round_and_leave_the_version)
{
    ck_assert_uint_eq(stamp_next(stamp_of(0)), stamp_of(1));
    ck_assert_uint_eq(stamp_next(stamp_of(LAST_LINK)), stamp_of(0));
    ck_assert_uint_eq(stamp_next(stamp_of(LAST_LINK)) >> 31U, 0);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(stamp_version(stamp_random(stamp_of(5))), VERSION);
}
END_TEST

START_TEST(a_store_gets_its_link_with_version_7)
{
    uint32_t stamp = 0;
    for (unsigned version = 1; version < VERSION; version++) {
        stamp = stamp_raised(stamp);
        ck_assert_uint_eq(stamp, version);
        ck_assert(!stamp_is_linked(stamp));
    }
    ck_assert_uint_eq(stamp_version(stamp_raised(stamp)), VERSION);
    ck_assert(stamp_is_linked(stamp_raised(stamp)));
    ck_assert_uint_ne(stamp_raised(stamp), stamp_raised(stamp)); /* wrong once in eight million */
    ck_assert_uint_eq(stamp_raised(stamp_of(9)), stamp_of(10) + 1);
}
END_TEST

START_TEST(a_log_follows_one_store)
{
    const uint32_t links[] = {0, 1, 1000, LAST_LINK};
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        uint32_t stamp = stamp_of(links[i]);
        uint32_t next = stamp_next(stamp);
        ck_assert(stamp_is_followed(stamp, next, true));
        ck_assert(!stamp_is_followed(stamp, next, false));
        ck_assert(stamp_is_followed(stamp, stamp, true) && stamp_is_followed(stamp, stamp, false));
        ck_assert(!stamp_is_followed(stamp, stamp_next(next), true));
        ck_assert(!stamp_is_followed(next, stamp, true));
        ck_assert(!stamp_is_followed(stamp, stamp - 1, true)); /* of the version before */
        ck_assert(!stamp_is_followed(stamp, 0, true));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stamp");
    TCase *all = tcase_create("all");
    tcase_add_test(all, links_go_round_and_leave_the_version);
    tcase_add_test(all, a_store_gets_its_link_with_version_7);
    tcase_add_test(all, a_log_follows_one_store);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
