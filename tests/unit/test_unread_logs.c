/* Which logs of workers are to be read again: each once. */
#include "daemon/engine/unread_logs.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

START_TEST(a_log_is_read_again_once_for_each_worker)
{
    const bool said[][2] = {{false, false}, {false, true}, {true, true}, {true, false}};
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct unread_log *list = NULL;
        unread_logs_add(&list, 7, said[i][0]);
        unread_logs_add(&list, 8, false);
        unread_logs_add(&list, 7, said[i][1]);
        ck_assert_uint_eq(list->worker, 8);
        ck_assert(!list->dead);
        ck_assert_uint_eq(list->next->worker, 7);
        ck_assert(list->next->dead == (said[i][0] || said[i][1]));
        ck_assert_ptr_null(list->next->next);
        unread_logs_free(&list);
        ck_assert_ptr_null(list);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unread_logs");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_log_is_read_again_once_for_each_worker);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
