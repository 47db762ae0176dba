/* How the tests of a program are run: the end of each main. */
#ifndef BATCHD_TESTS_UNIT_SUITE_H
#define BATCHD_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Takes the suite. Returns main's status. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
