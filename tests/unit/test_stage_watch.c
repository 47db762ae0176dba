/* One that works and makes too much is stopped and killed by who looks, however long looking is
 * made to take. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "processors/lib/stage_watch.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEW_FILES 20U
/* So many that to list them takes milliseconds. */
#define MANY_FILES 10000U
/* The size of a file that the worker may write, and so many times it fills one: more than what is
 * allowed for one output and beside it (260 MiB). */
#define FILE_BYTES (1U << 20)
#define FILES_WRITTEN 300U
#define NEVER UINT_MAX

/* One that works, who looks, and the folder between them. */
struct pair {
    unsigned files;     /* in the folder, and as many as may be there */
    bool twice;         /* who looks takes it for two */
    bool in_vain;       /* who looks has no end of its own, only that of the watch */
    unsigned cleanings; /* after so many nothing is left */
    char path[PATH_MAX];
    int folder;
    int hidden; /* a file of the worker's that is in no folder */
    int events; /* inotify's, of the folder */
    int told;   /* what is read of it: a letter for each look at a worker that is killed, and 'W'
                 * where it wrote what it was to write */
    pid_t worker, watcher;
};

/* What is known where it is cleaned. */
struct seen {
    const struct pair *pair;
    int tell;
    unsigned cleaned;
};

/* ---- the two ---- */

/* The worker's state: T where it is stopped, Z where it is dead (proc(5), /proc/PID/stat). */
static bool clean(void *arg)
{
    struct seen *seen = arg;
    char path[32];
    char facts[64] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)seen->pair->worker);
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
    return ++seen->cleaned >= seen->pair->cleanings;
}

/* It is emptied before that is on the disk. */
static void write_much(int file)
{
    static char bytes[FILE_BYTES];
    for (unsigned i = 0; i < FILES_WRITTEN; i++) {
        if (fd_write_all(file, bytes, sizeof(bytes)) < 0 || ftruncate(file, 0) < 0 ||
            lseek(file, 0, SEEK_SET) < 0)
            _exit(1);
    }
}

/* Writes when it is told to, and goes on until it is killed. */
static pid_t begin_work(const struct pair *pair, int tell)
{
    int number;
    sigset_t order;
    const struct rlimit most = {FILE_BYTES, FILE_BYTES};
    (void)sigemptyset(&order);
    (void)sigaddset(&order, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &order, NULL);
    const pid_t worker = fork();
    ck_assert_int_ge(worker, 0);
    if (worker > 0)
        return worker;
    if (setrlimit(RLIMIT_FSIZE, &most) < 0)
        _exit(1);
    while (sigwait(&order, &number) == 0) {
        write_much(pair->hidden);
        if (write(tell, "W", 1) != 1)
            break;
    }
    _exit(1);
}

/* Beside the worker, as the publisher is. */
static pid_t begin_watch(const struct pair *pair, int tell)
{
    struct seen seen = {pair, tell, 0};
    const pid_t watcher = fork();
    ck_assert_int_ge(watcher, 0);
    if (watcher > 0)
        return watcher;
    struct stage_watch watch = {.process = pair->worker,
                                .pidfd = (int)syscall(SYS_pidfd_open, pair->worker, 0),
                                .folders = {pair->twice ? pair->folder : -1, pair->folder},
                                .files = pair->twice ? 2 * pair->files : pair->files,
                                .outputs = 1,
                                .clean = clean,
                                .arg = &seen,
                                .in_vain = pair->in_vain};
    ck_assert_int_eq(stage_watch_start(&watch), 0);
    while (pair->in_vain)
        (void)pause();
    stage_watch_wait(&watch);
    _exit(1);
}

/* One is the other's second name: many of these are made faster than as many files. */
static void make_file(const struct pair *pair, unsigned number)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "%u", number);
    CLEANUP_CLOSE int fd =
        number > 0 ? -1 : openat(pair->folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 && linkat(pair->folder, "0", pair->folder, name, 0) < 0)
        ck_abort_msg("%s cannot be made: %s", name, strerror(errno));
}

/* Where this program is: what is built stands on a disk more often than /tmp does. */
static void make_folder(char ret[PATH_MAX])
{
    static const char name[] = "batchd-watch-XXXXXX";
    const ssize_t bytes = readlink("/proc/self/exe", ret, PATH_MAX - sizeof(name));
    ck_assert_int_gt(bytes, 0);
    ret[bytes] = '\0';
    (void)memcpy(strrchr(ret, '/') + 1, name, sizeof(name));
    ck_assert_ptr_nonnull(mkdtemp(ret));
}

static void begin(struct pair *ret)
{
    int ends[2];
    make_folder(ret->path);
    ret->folder = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < ret->files; i++)
        make_file(ret, i);
    ret->hidden = openat(ret->folder, "hidden", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(ret->hidden, 0);
    ck_assert_int_eq(unlinkat(ret->folder, "hidden", 0), 0);
    ret->events = inotify_init1(IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(ret->events, ret->path, IN_OPEN | IN_CLOSE_NOWRITE), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ret->told = ends[0];
    ret->worker = begin_work(ret, ends[1]);
    ret->watcher = begin_watch(ret, ends[1]);
    (void)close(ends[1]);
}

static int ended(pid_t process)
{
    int status = 0;
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    return status;
}

static void assert_killed(const struct pair *pair)
{
    int status = ended(pair->watcher);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = ended(pair->worker);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* What was told; ends with who tells. */
static void assert_told(const struct pair *pair, const char *expected)
{
    char told[64] = "";
    size_t used = 0;
    ssize_t got;
    while ((got = read(pair->told, told + used, sizeof(told) - 1 - used)) > 0)
        used += (size_t)got;
    ck_assert_str_eq(told, expected);
}

static void done(const struct pair *pair)
{
    char name[16];
    for (unsigned i = 0; i <= pair->files; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        (void)unlinkat(pair->folder, name, 0);
    }
    (void)close(pair->folder);
    (void)close(pair->hidden);
    (void)close(pair->events);
    (void)close(pair->told);
    ck_assert_int_eq(rmdir(pair->path), 0);
}

/* ---- looks ---- */

/* The next: that the folder is opened or closed. 0: none within that time. */
static uint32_t next_event(const struct pair *pair, int wait_ms)
{
    struct inotify_event event;
    struct pollfd ready = {.fd = pair->events, .events = POLLIN};
    if (poll(&ready, 1, wait_ms) != 1)
        return 0;
    ck_assert_int_eq(read(pair->events, &event, sizeof(event)), sizeof(event));
    return event.mask & (IN_OPEN | IN_CLOSE_NOWRITE);
}

/* Until who looks opens the folder, or has read it. */
static void wait_for(const struct pair *pair, uint32_t wanted)
{
    while (next_event(pair, -1) != wanted) {
    }
}

static void halt(const struct pair *pair)
{
    int status;
    ck_assert_int_eq(kill(pair->watcher, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(pair->watcher, &status, WUNTRACED), pair->watcher);
    ck_assert(WIFSTOPPED(status));
}

/* Between two looks. */
static void halt_between_looks(const struct pair *pair)
{
    bool seen = true;
    while (seen) {
        wait_for(pair, IN_OPEN);
        wait_for(pair, IN_CLOSE_NOWRITE);
        halt(pair);
        seen = false;
        while (next_event(pair, 0) != 0)
            seen = true; /* meanwhile it looked again */
        if (seen)
            ck_assert_int_eq(kill(pair->watcher, SIGCONT), 0);
    }
}

/* In the middle of a look. */
static void halt_while_it_looks(const struct pair *pair)
{
    for (;;) {
        wait_for(pair, IN_OPEN);
        halt(pair);
        if (next_event(pair, 0) == 0)
            return;
        ck_assert_int_eq(kill(pair->watcher, SIGCONT), 0); /* it was through */
    }
}

static void go_on(const struct pair *pair)
{
    ck_assert_int_eq(kill(pair->watcher, SIGCONT), 0);
}

static void let_it_write(const struct pair *pair)
{
    char told;
    ck_assert_int_eq(kill(pair->worker, SIGUSR1), 0);
    ck_assert_int_eq(read(pair->told, &told, 1), 1);
    ck_assert_int_eq(told, 'W');
}

/* Bytes on their way to a disk. */
static uint64_t own_bytes(void)
{
    char facts[1025] = "";
    CLEANUP_CLOSE int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(read(fd, facts, sizeof(facts) - 1), 0);
    const char *found = strstr(facts, "\nwrite_bytes: ");
    ck_assert_ptr_nonnull(found);
    return strtoull(found + strlen("\nwrite_bytes: "), NULL, 10);
}

/* Not on a tmpfs, nor with FUSE. */
static bool are_counted(const char *test)
{
    static char bytes[FILE_BYTES];
    char path[PATH_MAX];
    make_folder(path);
    const uint64_t before = own_bytes();
    CLEANUP_CLOSE int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_CLOSE int fd = openat(folder, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    ck_assert_int_eq(unlinkat(folder, "file", 0), 0);
    ck_assert_int_eq(rmdir(path), 0);
    const bool are = own_bytes() - before >= sizeof(bytes);
    if (!are)
        (void)printf("SKIPPED %s: beside this program no bytes are on their way to a disk\n", test);
    return are;
}

/* ---- tests ---- */

START_TEST(who_keeps_many_files_is_killed)
{
    struct pair fewer = {.files = FEW_FILES};
    struct pair more = {.files = FEW_FILES};
    begin(&fewer);
    begin(&more);
    make_file(&more, FEW_FILES);
    assert_killed(&more);
    assert_told(&more, "T"); /* nothing is left */

    wait_for(&fewer, IN_OPEN);
    wait_for(&fewer, IN_OPEN); /* the look before is over, and what it saw let be */
    ck_assert_int_eq(waitpid(fewer.worker, NULL, WNOHANG), 0);
    (void)kill(fewer.worker, SIGKILL);
    (void)ended(fewer.worker);
    const int status = ended(fewer.watcher);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1); /* it ends with the worker */
    assert_told(&fewer, "");
    done(&fewer);
    done(&more);
}
END_TEST

/* What was under way as it was stopped made files behind who cleaned. */
START_TEST(it_is_killed_when_nothing_is_left)
{
    struct pair pair = {.files = FEW_FILES, .cleanings = 3};
    begin(&pair);
    make_file(&pair, FEW_FILES);
    assert_killed(&pair);
    assert_told(&pair, "TTT");
    done(&pair);
}
END_TEST

START_TEST(it_is_killed_even_if_something_is_left)
{
    char state;
    char last = '?';
    unsigned stopped = 0;
    struct pair pair = {.files = FEW_FILES, .cleanings = NEVER};
    begin(&pair);
    make_file(&pair, FEW_FILES);
    for (; read(pair.told, &state, 1) == 1; last = state)
        stopped += state == 'T' ? 1 : 0;
    ck_assert_uint_gt(stopped, 1);
    ck_assert_int_eq(last, 'Z');
    assert_killed(&pair);
    done(&pair);
}
END_TEST

/* A job that is suspended and goes on. Before the time that a look took was that of the clock: one
 * that was halted in it for 2 s paused for 40. */
START_TEST(who_was_halted_looks_again_soon)
{
    struct pair pair = {.files = MANY_FILES};
    begin(&pair);
    halt_while_it_looks(&pair);
    (void)sleep(2);
    const int64_t began = clock_monotonic_us();
    go_on(&pair);
    wait_for(&pair, IN_OPEN);
    const int64_t waited = clock_monotonic_us() - began;
    ck_assert_int_lt(waited, 20 * US_PER_SECOND);
    ck_assert_int_ge(waited, 2 * US_PER_SECOND); /* it may have waited for a disk */
    make_file(&pair, MANY_FILES);
    assert_killed(&pair);
    done(&pair);
}
END_TEST

/* Whether it was killed before the folder was opened once more. */
static bool is_killed_in_a_look(void)
{
    struct pair pair = {.files = MANY_FILES, .twice = true};
    begin(&pair);
    halt_while_it_looks(&pair);
    let_it_write(&pair);
    (void)sleep(1); /* then its bytes are due */
    go_on(&pair);
    assert_killed(&pair);
    assert_told(&pair, "T");
    wait_for(&pair, IN_CLOSE_NOWRITE); /* by its end */
    const bool once = next_event(&pair, 0) == 0;
    done(&pair);
    return once;
}

/* However long it takes to list its files. */
START_TEST(bytes_are_looked_at_while_files_are_listed)
{
    unsigned tries = 0;
    if (!are_counted("bytes_are_looked_at_while_files_are_listed"))
        return;
    while (!is_killed_in_a_look())
        ck_assert_uint_lt(++tries, 3); /* it may have been at its last file */
}
END_TEST

/* Whether the folder was not opened once more for one that was dead. */
static bool is_over_in_a_look(void)
{
    struct pair pair = {.files = MANY_FILES, .twice = true, .in_vain = true};
    begin(&pair);
    halt_while_it_looks(&pair);
    (void)kill(pair.worker, SIGKILL);
    (void)ended(pair.worker);
    (void)sleep(1);
    go_on(&pair);
    const int status = ended(pair.watcher);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    wait_for(&pair, IN_CLOSE_NOWRITE);
    const bool once = next_event(&pair, 0) == 0;
    done(&pair);
    return once;
}

/* Nobody waits for the rest. */
START_TEST(a_look_ends_with_who_is_looked_at)
{
    unsigned tries = 0;
    while (!is_over_in_a_look())
        ck_assert_uint_lt(++tries, 3); /* as above */
}
END_TEST

/* And however long they are not listed then. */
START_TEST(bytes_are_looked_at_without_a_list)
{
    struct pair pair = {.files = FEW_FILES};
    if (!are_counted("bytes_are_looked_at_without_a_list"))
        return;
    begin(&pair);
    halt_between_looks(&pair);
    let_it_write(&pair);
    go_on(&pair);
    assert_killed(&pair);
    ck_assert_uint_eq(next_event(&pair, 0), 0);
    done(&pair);
}
END_TEST

/* The user has as many processes as he may. */
START_TEST(that_there_is_no_thread_for_it_is_told)
{
    const struct rlimit none = {0, 0};
    const pid_t child = fork();
    if (child == 0) {
        struct stage_watch watch = {.process = getppid(),
                                    .pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0)};
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0) /* root may have any number */
            _exit(77);
        if (setrlimit(RLIMIT_NPROC, &none) < 0)
            _exit(1);
        _exit(stage_watch_start(&watch));
    }
    const int status = ended(child);
    ck_assert(WIFEXITED(status));
    ck_assert(WEXITSTATUS(status) == EAGAIN || WEXITSTATUS(status) == 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stage_watch");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120); /* they wait for looks, some of them 10 s apart */
    tcase_add_test(tests, who_keeps_many_files_is_killed);
    tcase_add_test(tests, it_is_killed_when_nothing_is_left);
    tcase_add_test(tests, it_is_killed_even_if_something_is_left);
    tcase_add_test(tests, who_was_halted_looks_again_soon);
    tcase_add_test(tests, bytes_are_looked_at_while_files_are_listed);
    tcase_add_test(tests, a_look_ends_with_who_is_looked_at);
    tcase_add_test(tests, bytes_are_looked_at_without_a_list);
    tcase_add_test(tests, that_there_is_no_thread_for_it_is_told);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
