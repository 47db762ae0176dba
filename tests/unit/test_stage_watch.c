/* One that works and makes many files is killed by who looks. */
#include "common/cleanup.h"
#include "processors/lib/stage_watch.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 20U
#define ENDED_BY_WATCH 7

static void end(void *arg)
{
    (void)arg;
    _exit(ENDED_BY_WATCH);
}

static pid_t begin_work(void)
{
    pid_t worker = fork();
    ck_assert_int_ge(worker, 0);
    while (worker == 0) /* NOLINT(bugprone-infinite-loop): until it is killed */
        (void)pause();
    return worker;
}

/* Beside the worker, as the publisher is. */
static pid_t begin_watch(pid_t worker, int folder)
{
    pid_t watcher = fork();
    ck_assert_int_ge(watcher, 0);
    if (watcher > 0)
        return watcher;
    struct stage_watch watch = {.process = worker,
                                .pidfd = (int)syscall(SYS_pidfd_open, worker, 0),
                                .folders = {-1, folder},
                                .files = FILES,
                                .outputs = 1,
                                .end = end};
    stage_watch_start(&watch);
    for (;;)
        (void)pause();
}

static void make_files(int folder, unsigned count)
{
    char name[16];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        CLEANUP_CLOSE int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
    }
}

START_TEST(who_keeps_many_files_is_killed)
{
    char path[] = "/tmp/batchd-watch-XXXXXX";
    int status = 0;
    ck_assert_ptr_nonnull(mkdtemp(path));
    CLEANUP_CLOSE int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid_t worker = begin_work();
    pid_t watcher = begin_watch(worker, folder);
    make_files(folder, FILES / 2);
    ck_assert_int_eq(waitpid(worker, NULL, WNOHANG), 0);
    make_files(folder, FILES + 1);
    ck_assert_int_eq(waitpid(watcher, &status, 0), watcher);
    ck_assert_int_eq(WEXITSTATUS(status), ENDED_BY_WATCH);
    ck_assert_int_eq(waitpid(worker, &status, 0), worker);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (unsigned i = 0; i <= FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%u", i);
        (void)unlinkat(folder, name, 0);
    }
    (void)rmdir(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stage_watch");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, who_keeps_many_files_is_killed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
