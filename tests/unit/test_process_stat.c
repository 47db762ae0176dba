/* What is read out of /proc/PID/stat: of lines as the kernel writes them, and of real processes. */
#include "common/process_stat.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* utime 100, stime 20, cutime 7, cstime 3; 2 threads; born 4711; 300 pages. */
#define BEHIND_STATE \
    " 42 7 7 0 -1 4194560 1 2 3 4 100 20 7 3 20 0 2 0 4711 9000 300 18446744073709551615 1\n"

START_TEST(a_line_of_the_kernel)
{
    struct process_stat stat;
    const uint64_t tick_us = (uint64_t)(1000000 / sysconf(_SC_CLK_TCK));
    ck_assert_int_eq(process_stat_parse("43 (sh) S" BEHIND_STATE, &stat), 0);
    ck_assert(!stat.is_zombie);
    ck_assert_int_eq(stat.parent, 42);
    ck_assert_uint_eq(stat.user_us, 107 * tick_us);
    ck_assert_uint_eq(stat.system_us, 23 * tick_us);
    ck_assert_uint_eq(stat.threads, 2);
    ck_assert_uint_eq(stat.born, 4711);
    ck_assert_uint_eq(stat.memory_bytes, 300 * (uint64_t)sysconf(_SC_PAGESIZE));
}
END_TEST

START_TEST(a_name_may_hold_anything)
{
    struct process_stat stat;
    ck_assert_int_eq(process_stat_parse("43 (a) R 1 (b) c\n) Z" BEHIND_STATE, &stat), 0);
    ck_assert(stat.is_zombie);
    ck_assert_int_eq(stat.parent, 42);
    ck_assert_uint_eq(stat.born, 4711);
}
END_TEST

static const char *const no_lines[] = {
    "",
    "43",
    "43 (sh",
    "43 (sh)",
    "43 (sh) ",
    "43 (sh) S",
    "43 (sh)S" BEHIND_STATE,
    "43 (sh) S x 7 7 0 -1 4194560 1 2 3 4 100 20 7 3 20 0 2 0 4711 9000 300 1\n",
    "43 (sh) S 42 7 7 0 -1 4194560 1 2 3 4 100 20 7 3 20 0 2 0 4711 9000\n"};

START_TEST(what_is_no_line)
{
    struct process_stat stat;
    ck_assert_int_eq(process_stat_parse(no_lines[_i], &stat), -1);
}
END_TEST

START_TEST(oneself)
{
    struct process_stat stat;
    ck_assert_int_eq(process_stat_read(getpid(), &stat), 0);
    ck_assert_int_eq(stat.parent, getppid());
    ck_assert(!stat.is_zombie);
    ck_assert_uint_ge(stat.threads, 1);
    ck_assert_uint_gt(stat.born, 0);
    ck_assert_uint_gt(stat.memory_bytes, 0);
}
END_TEST

START_TEST(one_that_is_not_reaped_and_one_that_is)
{
    struct process_stat stat;
    siginfo_t ended;
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(process_stat_read(child, &stat), 0);
    ck_assert(stat.is_zombie);
    ck_assert_int_eq(stat.parent, getpid());
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(process_stat_read(child, &stat), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("what the kernel says of a process");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_line_of_the_kernel);
    tcase_add_test(all, a_name_may_hold_anything);
    tcase_add_loop_test(all, what_is_no_line, 0, (int)(sizeof(no_lines) / sizeof(no_lines[0])));
    tcase_add_test(all, oneself);
    tcase_add_test(all, one_that_is_not_reaped_and_one_that_is);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
