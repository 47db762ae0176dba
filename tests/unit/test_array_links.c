/* Who waits for whom task by task: rounds of news, and what is removed meanwhile. */
#include "daemon/core/array_links.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

static struct array_link *link_to(struct array_links *set, uint64_t child, uint64_t parent)
{
    bool is_new;
    return array_links_add(set, child, parent, &is_new);
}

/* All that one round tells of. */
static size_t round_of(struct array_links *set, struct linked_array *awaited)
{
    size_t count = 0;
    while (array_links_next(set, awaited) != NULL)
        count++;
    return count;
}

START_TEST(all_are_told_once_a_round)
{
    enum { CHILDREN = 1000 };
    struct array_links set = {.first = NULL};
    bool is_new;
    for (uint64_t id = 10; id < 10 + CHILDREN; id++) {
        const struct array_link *link = array_links_add(&set, id, 1, &is_new);
        ck_assert(is_new == (id == 10) && link->awaited == array_links_awaited(&set, 1));
    }
    ck_assert_ptr_null(array_links_first(&set));
    ck_assert_ptr_null(array_links_find(&set, 1));
    struct linked_array *awaited = array_links_awaited(&set, 1);
    array_links_news(&set, awaited);
    ck_assert_ptr_eq(array_links_first(&set), awaited);
    ck_assert_uint_eq(array_links_next(&set, awaited)->entry.id, 10);
    array_links_news(&set, awaited); /* in the midst of it: another round follows */
    ck_assert_uint_eq(round_of(&set, awaited), CHILDREN - 1);
    ck_assert_ptr_eq(array_links_first(&set), awaited);
    ck_assert_uint_eq(round_of(&set, awaited), CHILDREN);
    ck_assert_ptr_null(array_links_first(&set));
    array_links_done(&set);
}
END_TEST

START_TEST(new_ones_come_by_themselves)
{
    struct array_links set = {.first = NULL};
    struct array_link *links[3];
    ck_assert(!array_links_unfinished(&set));
    for (uint64_t i = 0; i < 3; i++)
        links[i] = link_to(&set, 10 + i, 1);
    ck_assert(array_links_unfinished(&set));
    array_links_remove(&set, links[1]);
    ck_assert_ptr_eq(array_links_take_fresh(&set), links[0]);
    ck_assert_ptr_eq(array_links_take_fresh(&set), links[2]);
    ck_assert_ptr_null(array_links_take_fresh(&set));
    ck_assert(!array_links_unfinished(&set));
    array_links_done(&set);
}
END_TEST

START_TEST(each_has_its_turn)
{
    struct array_links set = {.first = NULL};
    struct linked_array *one = link_to(&set, 10, 1)->awaited;
    struct linked_array *two = link_to(&set, 20, 2)->awaited;
    array_links_news(&set, one);
    array_links_news(&set, one);
    array_links_news(&set, two);
    ck_assert_uint_eq(round_of(&set, array_links_first(&set)), 1);
    ck_assert_ptr_eq(array_links_first(&set), two);
    ck_assert_uint_eq(round_of(&set, two), 1);
    ck_assert_ptr_eq(array_links_first(&set), one);
    array_links_done(&set);
}
END_TEST

START_TEST(some_are_removed_in_a_round)
{
    struct array_links set = {.first = NULL};
    struct array_link *links[4];
    for (uint64_t i = 0; i < 4; i++)
        links[i] = link_to(&set, 10 + i, 1);
    struct linked_array *awaited = links[0]->awaited;
    array_links_news(&set, awaited);
    ck_assert_ptr_eq(array_links_next(&set, awaited), links[0]);
    array_links_remove(&set, links[1]); /* who would be next */
    array_links_remove(&set, links[0]);
    ck_assert_ptr_null(array_links_find(&set, 11));
    ck_assert_ptr_eq(array_links_next(&set, awaited), links[2]);
    array_links_remove(&set, links[2]);
    array_links_remove(&set, links[3]); /* the last one: nobody waits any more */
    ck_assert_ptr_null(array_links_first(&set));
    ck_assert_ptr_null(array_links_awaited(&set, 1));
    array_links_done(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("array links");
    TCase *all = tcase_create("all");
    tcase_add_test(all, all_are_told_once_a_round);
    tcase_add_test(all, new_ones_come_by_themselves);
    tcase_add_test(all, each_has_its_turn);
    tcase_add_test(all, some_are_removed_in_a_round);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
