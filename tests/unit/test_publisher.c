/* What the publisher does for a processor that was taken over, and what it does not. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/output_names.h"
#include "processors/lib/publisher.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/batchd-publisher-XXXXXX";
static struct publisher publisher;

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    CLEANUP_FREE char *path = path_of(name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void assert_file(const char *name, const char *text)
{
    char found[64] = "";
    CLEANUP_FREE char *path = path_of(name);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0 || text == NULL, "%s is not there", name);
    ck_assert_msg(fd < 0 || text != NULL, "%s is there", name);
    if (text != NULL) {
        ck_assert_int_ge(read(fd, found, sizeof(found) - 1), 0);
        ck_assert_str_eq(found, text);
    }
}

static int open_folder(const char *name)
{
    CLEANUP_FREE char *path = path_of(name);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* With FOLDER/.stage, for the output FOLDER/out. */
static void start_in_folder(bool several)
{
    CLEANUP_FREE char *stage = path_of(".stage");
    CLEANUP_CLOSE int parent = open_folder("");
    CLEANUP_CLOSE int inside = open_folder(".stage");
    CLEANUP_CLOSE int lock = open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    char *stems[] = {(char[]){"a"}, (char[]){"a.jpg"}, (char[]){"v1.2"}};
    char *suffixes[] = {(char[]){".png"}, (char[]){".jpg"}, NULL};
    const struct output_names names = {stems, 3, suffixes};
    const struct publisher_place place = {.parent = parent,
                                          .name = "out",
                                          .several = several,
                                          .folder = -1,
                                          .names = several ? &names : NULL,
                                          .stage = inside,
                                          .lock = lock,
                                          .stage_parent = parent,
                                          .stage_name = ".stage"};
    ck_assert_int_eq(publisher_start(&place, &publisher), 0);
}

static void start_for(bool several)
{
    memcpy(strrchr(folder, '-'), "-XXXXXX", sizeof("-XXXXXX"));
    ck_assert_ptr_nonnull(mkdtemp(folder));
    CLEANUP_FREE char *stage = path_of(".stage");
    ck_assert_int_eq(mkdir(stage, 0700), 0);
    start_in_folder(several);
    ck_assert(publisher_watches(&publisher));
}

static void start(void)
{
    start_for(false);
}

static void start_several(void)
{
    start_for(true);
}

static void end(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf '%s'", folder);
    publisher_end(&publisher);
    (void)signal(SIGCHLD, SIG_DFL);       /* system waits for its child */
    ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): a path of ours */
}

START_TEST(a_file_gets_its_name)
{
    write_file("out", "before");
    write_file(".stage/out", "made");
    ck_assert_int_eq(publisher_place(&publisher, "out").failed, 0);
    assert_file("out", "made");
    assert_file(".stage/out", NULL);
    ck_assert_int_eq(publisher_place(&publisher, "out").failed, ENOENT);
}
END_TEST

START_TEST(no_other_name_is_taken)
{
    static const char *const names[] = {"other", "", ".", "..", "../out", "/etc/passwd", ".stage"};
    CLEANUP_FREE char *longer = xasprintf("%0*d", NAME_MAX + 1, 0);
    write_file("other", "the user's");
    write_file(".stage/other", "made");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_int_eq(publisher_place(&publisher, names[i]).failed, EPERM);
        ck_assert_int_eq(publisher_look(&publisher, names[i]).failed, EPERM);
    }
    ck_assert_int_eq(publisher_place(&publisher, longer).failed, ENAMETOOLONG);
    assert_file("other", "the user's");
}
END_TEST

/* The next attempt waits for this one's, which may be at a rename still. */
START_TEST(the_lock_is_held_until_it_is_gone)
{
    CLEANUP_FREE char *stage = path_of(".stage");
    CLEANUP_CLOSE int other = open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)publisher_look(&publisher, "out");               /* it has closed all but what it keeps */
    ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), -1); /* we have closed ours */
    ck_assert_int_eq(errno, EWOULDBLOCK);
    publisher_end(&publisher);
    ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
}
END_TEST

/* ---- of whoever ends while it reads ---- */

static void *look_at_out(void *arg)
{
    (void)publisher_look(&publisher, "out");
    return arg;
}

/* The thread that forked it ends alone; the process does not before the other thread. */
static _Noreturn void leave_a_thread_that_looks(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, look_at_out, NULL) != 0)
        _exit(1);
    (void)syscall(SYS_exit, 0);
    _exit(1);
}

/* As on a kernel that has no pidfd_open. */
static void forbid_watching(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(pidfd_open), 0) != 0 ||
        seccomp_load(filter) != 0)
        _exit(1);
    seccomp_release(filter);
}

/* A process whose publisher reads what takes it minutes, 1 TiB; both have begun. */
static pid_t begin_long_look(bool watched, bool leaves)
{
    char event[sizeof(struct inotify_event) + NAME_MAX + 1];
    CLEANUP_FREE char *stage = path_of(".stage");
    CLEANUP_FREE char *out = path_of("out");
    CLEANUP_CLOSE int file = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_eq(ftruncate(file, (off_t)1 << 40), 0);
    publisher_end(&publisher); /* a child has its own */
    ck_assert_int_eq(mkdir(stage, 0700), 0);
    CLEANUP_CLOSE int watch = inotify_init1(IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(watch, out, IN_OPEN), 0);
    (void)signal(SIGCHLD, SIG_DFL);
    const pid_t child = fork();
    if (child == 0) {
        if (!watched)
            forbid_watching();
        start_in_folder(false);
        if (publisher_watches(&publisher) != watched)
            _exit(1);
        if (leaves)
            leave_a_thread_that_looks();
        (void)look_at_out(NULL);
        _exit(0);
    }
    ck_assert_int_gt(read(watch, event, sizeof(event)), 0);
    return child;
}

static void end_child(pid_t child)
{
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

/* Each with a watch and without. */
START_TEST(nobody_is_kept_out_by_a_look_at_what_is_long)
{
    const pid_t child = begin_long_look(_i != 0, false);
    end_child(child);
    CLEANUP_FREE char *stage = path_of(".stage");
    CLEANUP_CLOSE int lock = open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0); /* or the test takes too long */
}
END_TEST

/* Whether the process has ended but for threads of it (proc(5), /proc/PID/stat). */
static bool has_left(pid_t child)
{
    char path[32];
    char facts[64] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_gt(read(fd, facts, sizeof(facts) - 1), 0);
    return strstr(facts, ") Z ") != NULL;
}

/* Who was taken over could end it so, with the watch in it, and write on. */
START_TEST(it_outlives_the_thread_that_forked_it)
{
    CLEANUP_FREE char *stage = path_of(".stage");
    const pid_t child = begin_long_look(true, true);
    CLEANUP_CLOSE int lock = open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (!has_left(child))
        (void)usleep(1000);
    for (int tries = 0; tries < 300; tries++) { /* a signal takes its time */
        ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), -1);
        (void)usleep(1000);
    }
    end_child(child);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
}
END_TEST

START_TEST(what_can_be_executed_is_not_placed)
{
    static const mode_t modes[] = {0755, 0610, 0601, 04600, 02600, 01600};
    CLEANUP_FREE char *path = path_of(".stage/out");
    write_file(".stage/out", "made");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        ck_assert_int_eq(publisher_place(&publisher, "out").failed, EPERM);
    }
    assert_file("out", NULL);
}
END_TEST

START_TEST(only_files_are_put_in_place_of_files)
{
    CLEANUP_FREE char *link = path_of(".stage/out");
    CLEANUP_FREE char *target = path_of("out");
    ck_assert_int_eq(symlink("/etc/passwd", link), 0);
    ck_assert_int_eq(publisher_place(&publisher, "out").failed, EPERM);
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(mkdir(link, 0700), 0);
    ck_assert_int_eq(publisher_place(&publisher, "out").failed, EPERM);
    ck_assert_int_eq(rmdir(link), 0);
    write_file(".stage/out", "made");
    ck_assert_int_eq(symlink("other", target), 0);
    ck_assert_int_eq(publisher_place(&publisher, "out").failed, ENOTUNIQ);
    ck_assert_int_eq(publisher_look(&publisher, "out").failed, ELOOP);
}
END_TEST

START_TEST(in_a_folder_names_are_those_of_the_inputs)
{
    static const char *const taken[] = {"a.jpg", "a.PNG", "a.jpg.png", "v1.2.png"};
    static const char *const refused[] = {"..",    ".bashrc", ".png", ".a.png", "b.png",
                                          "a.txt", "a",       "a.sh", "v1.png", "a.jpg."};
    write_file(".stage/a.png", "first");
    ck_assert_int_eq(publisher_place(&publisher, "a.png").failed, EPERM);
    ck_assert_int_eq(publisher_make_folder(&publisher).failed, 0);
    ck_assert_int_eq(publisher_make_folder(&publisher).failed, 0);
    ck_assert_int_eq(publisher_place(&publisher, "a.png").failed, 0);
    assert_file("out/a.png", "first");
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        ck_assert_int_eq(publisher_place(&publisher, taken[i]).failed, ENOENT);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ck_assert_int_eq(publisher_place(&publisher, refused[i]).failed, EPERM);
        ck_assert_int_eq(publisher_look(&publisher, refused[i]).failed, EPERM);
    }
    const struct publisher_answer found = publisher_look(&publisher, "a.png");
    ck_assert_int_eq(found.failed, 0);
    ck_assert_int_eq(found.bytes, 5);
    ck_assert_str_eq(found.sha256, /* printf first | sha256sum */
                     "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e");
}
END_TEST

START_TEST(what_is_no_order_is_none)
{
    char nonsense[260];
    int answer[30];
    memset(nonsense, 0x7e, sizeof(nonsense));
    ck_assert_int_eq(write(publisher.orders, nonsense, sizeof(nonsense)), sizeof(nonsense));
    ck_assert_int_ge(read(publisher.answers, answer, sizeof(answer)), (ssize_t)sizeof(int));
    ck_assert_int_eq(answer[0], EPERM);
    ck_assert_int_eq(publisher_make_folder(&publisher).failed, EPERM);
    ck_assert_int_eq(publisher_look(&publisher, "out").failed, ENOENT);
}
END_TEST

START_TEST(at_the_end_nothing_is_left)
{
    write_file(".stage/half", "half");
    publisher_end(&publisher);
    CLEANUP_CLOSE int stage = open_folder(".stage");
    ck_assert_int_eq(stage, -1);
    ck_assert_int_eq(publisher_place(&publisher, "out").failed, EPIPE);
}
END_TEST

START_TEST(who_is_killed_leaves_what_it_wrote)
{
    char byte;
    write_file(".stage/half", "half");
    ck_assert_int_eq(close(publisher.orders), 0); /* as the kernel does */
    ck_assert_int_eq(read(publisher.answers, &byte, 1), 0);
    assert_file(".stage/half", "half");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("publisher");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, start, end);
    tcase_add_test(tests, a_file_gets_its_name);
    tcase_add_test(tests, no_other_name_is_taken);
    tcase_add_test(tests, the_lock_is_held_until_it_is_gone);
    tcase_add_loop_test(tests, nobody_is_kept_out_by_a_look_at_what_is_long, 0, 2);
    tcase_add_test(tests, it_outlives_the_thread_that_forked_it);
    tcase_add_test(tests, what_can_be_executed_is_not_placed);
    tcase_add_test(tests, only_files_are_put_in_place_of_files);
    tcase_add_test(tests, what_is_no_order_is_none);
    tcase_add_test(tests, at_the_end_nothing_is_left);
    tcase_add_test(tests, who_is_killed_leaves_what_it_wrote);
    suite_add_tcase(suite, tests);
    TCase *several = tcase_create("several");
    tcase_add_checked_fixture(several, start_several, end);
    tcase_add_test(several, in_a_folder_names_are_those_of_the_inputs);
    suite_add_tcase(suite, several);
    return suite_run(suite);
}
