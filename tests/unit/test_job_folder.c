/* Removing the folders of jobs in slices: the spawner has others to look after meanwhile. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "worker/job_folder.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* To look through all of them once takes about as long as a slice. */
#define USERS 1000U
#define JOBS 64U

START_TEST(many_users_do_not_make_it_long)
{
    char place[] = "/tmp/batchd-folders-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(place));
    for (unsigned i = 1; i <= USERS; i++) {
        CLEANUP_FREE char *user = xasprintf("%s/%u", place, i);
        ck_assert_int_eq(mkdir(user, 0700), 0);
    }
    struct job_folders folders = {.count = JOBS};
    for (uint32_t i = 0; i < JOBS; i++)
        folders.ids[i] = 1000000 + i;
    CLEANUP_CLOSE int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    job_folders_remove(fd, fd, &folders);
    ck_assert_uint_ne(folders.removed, 0); /* else it would never end */
    ck_assert_uint_ne(folders.removed, UINT64_MAX);
    ck_assert_uint_eq(folders.failed, 0);
    for (unsigned i = 1; i <= USERS; i++) {
        CLEANUP_FREE char *user = xasprintf("%s/%u", place, i);
        (void)rmdir(user);
    }
    (void)rmdir(place);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_folder");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, many_users_do_not_make_it_long);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
