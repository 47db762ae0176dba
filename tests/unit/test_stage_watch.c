/* One that works and makes many files is stopped and killed by who looks. */
#include "common/cleanup.h"
#include "processors/lib/stage_watch.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 20U

/* One that works, who looks, and the folder between them. */
struct pair {
    char path[32];
    int folder;
    int told; /* what is read of it: a letter for each look at a worker that is killed */
    pid_t worker, watcher;
};

/* What is known where it is cleaned. */
struct seen {
    pid_t worker;
    int tell;
};

/* The worker's state: T where it is stopped, Z where it is dead (proc(5), /proc/PID/stat). */
static void clean(void *arg)
{
    const struct seen *seen = arg;
    char path[32];
    char facts[64] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)seen->worker);
    char state = '?';
    for (int tries = 0; tries < 1000 && state != 'T' && state != 'Z'; tries++) {
        CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        const ssize_t got = read(fd, facts, sizeof(facts) - 1);
        const char *name_end = got > 0 ? strchr(facts, ')') : NULL;
        state = '?';
        if (name_end != NULL && name_end[1] == ' ')
            state = name_end[2];
        (void)usleep(1000); /* a signal takes its time */
    }
    ck_assert_int_eq(write(seen->tell, &state, 1), 1);
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
static pid_t begin_watch(struct pair *pair)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pair->told = ends[0];
    pid_t watcher = fork();
    ck_assert_int_ge(watcher, 0);
    if (watcher > 0) {
        (void)close(ends[1]);
        return watcher;
    }
    struct seen seen = {pair->worker, ends[1]};
    struct stage_watch watch = {.process = pair->worker,
                                .pidfd = (int)syscall(SYS_pidfd_open, pair->worker, 0),
                                .folders = {-1, pair->folder},
                                .files = FILES,
                                .outputs = 1,
                                .clean = clean,
                                .arg = &seen};
    ck_assert_int_eq(stage_watch_start(&watch), 0);
    stage_watch_wait(&watch);
    _exit(1);
}

static void make_files(const struct pair *pair, unsigned count)
{
    char name[16];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        CLEANUP_CLOSE int fd = openat(pair->folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
    }
}

static void begin(struct pair *ret, unsigned files)
{
    (void)snprintf(ret->path, sizeof(ret->path), "/tmp/batchd-watch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(ret->path));
    ret->folder = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_files(ret, files);
    ret->worker = begin_work();
    ret->watcher = begin_watch(ret);
}

static void remove_folder(const struct pair *pair)
{
    char name[16];
    for (unsigned i = 0; i <= FILES; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        (void)unlinkat(pair->folder, name, 0);
    }
    (void)close(pair->folder);
    (void)close(pair->told);
    (void)rmdir(pair->path);
}

static int ended(pid_t process)
{
    int status = 0;
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    return status;
}

/* The one with as many as it may have is looked at before the other is. */
START_TEST(who_keeps_many_files_is_killed)
{
    struct pair fewer;
    struct pair more;
    char states[3] = "";
    begin(&fewer, FILES);
    begin(&more, FILES + 1);
    int status = ended(more.watcher);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = ended(more.worker);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(read(more.told, states, sizeof(states)), 2);
    ck_assert_str_eq(states, "TZ");

    ck_assert_int_eq(waitpid(fewer.worker, NULL, WNOHANG), 0);
    (void)kill(fewer.worker, SIGKILL);
    (void)ended(fewer.worker);
    status = ended(fewer.watcher);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1); /* it ends with the worker */
    ck_assert_int_eq(read(fewer.told, states, sizeof(states)), 0);
    remove_folder(&fewer);
    remove_folder(&more);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stage_watch");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, who_keeps_many_files_is_killed);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
