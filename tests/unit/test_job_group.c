/* What is written into a job's control group and read out of it, on a folder that looks like one.
 */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "worker/job_group.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[] = "/tmp/batchd-group-XXXXXX";
static const struct job_limits none;

static void write_file(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/job/%s", folder, name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
}

static void ck_file(const char *name, const char *expected)
{
    CLEANUP_FREE char *path = xasprintf("%s/job/%s", folder, name);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, 4096, NULL);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, expected);
}

/* Not empty, so it is not removed, as a real one is, and stays to be looked at. */
static void make_group(const char *events)
{
    CLEANUP_FREE char *path = xasprintf("%s/job", folder);
    (void)mkdir(path, 0700);
    write_file("memory.max", "");
    write_file("memory.oom.group", "");
    write_file("pids.max", "");
    write_file("cgroup.freeze", "");
    write_file("cgroup.kill", "");
    write_file("memory.events", events);
    write_file("memory.peak", "0\n");
    write_file("cpu.stat", "");
}

START_TEST(limits_and_orders)
{
    make_group("");
    struct job_group *group = job_group_new(folder, "job");
    ck_assert_int_eq(job_group_fd(group), -1);
    ck_assert(!job_group_freeze(group, true) && !job_group_kill(group));
    job_group_begin(group, 64U << 20U, &none);
    ck_assert_int_ge(job_group_fd(group), 0);
    ck_file("memory.max", "67108864");
    ck_file("memory.oom.group", "1");
    ck_assert(job_group_freeze(group, true));
    ck_file("cgroup.freeze", "1");
    ck_assert(job_group_freeze(group, false));
    ck_file("cgroup.freeze", "0");
    ck_assert(job_group_kill(group));
    ck_file("cgroup.kill", "1");
    job_group_end(group);
    ck_assert_int_eq(job_group_fd(group), -1);
    job_group_free(group);
}
END_TEST

START_TEST(processors_of_its_own)
{
    struct cpu_list cpus = {.bits = {0x0b}};
    make_group("");
    write_file("cpuset.cpus", "7"); /* it is used again */
    struct job_group *group = job_group_new(folder, "job");
    job_group_bind(group, &cpus); /* there is none yet */
    job_group_begin(group, 0, &none);
    ck_file("cpuset.cpus", "\n");
    job_group_bind(group, &cpus);
    ck_file("cpuset.cpus", "0-1,3");
    job_group_free(group);
}
END_TEST

static void make_file(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
}

START_TEST(limits_of_the_settings)
{
    const struct job_limits limits = {
        .pids = 77, .memory_high_bytes = 4096000, .has_swap = 1, .swap_bytes = 0};
    make_group("");
    write_file("memory.high", "");
    write_file("memory.swap.max", "");
    struct job_group *group = job_group_new(folder, "job");
    job_group_begin(group, 8192000, &limits);
    ck_file("pids.max", "77");
    ck_file("memory.high", "4096000");
    ck_file("memory.swap.max", "0");
    ck_file("memory.max", "8192000");
    job_group_free(group);
}
END_TEST

/* What stands beside the groups of other jobs is the worker's, not the job's. */
START_TEST(weights)
{
    const struct job_limits limits = {.cpu_weight = 300, .io_weight = 2000};
    make_group("");
    make_file("cpu.weight");
    make_file("io.weight");
    make_file("io.bfq.weight"); /* beside the other, as Debian's kernel has it */
    struct job_group *group = job_group_new(folder, "job");
    job_group_weigh(group, &limits);
    ck_file("../cpu.weight", "300");
    ck_file("../io.weight", "2000");
    ck_file("../io.bfq.weight", "1000");
    make_file("cpu.weight");
    make_file("io.weight");
    make_file("io.bfq.weight");
    job_group_weigh(group, &limits); /* as before: that is not written again */
    ck_file("../cpu.weight", "");
    ck_file("../io.weight", "");
    job_group_weigh(group, &none); /* what the job before had does not stay */
    ck_file("../cpu.weight", "100");
    ck_file("../io.weight", "100");
    ck_file("../io.bfq.weight", "100");
    job_group_free(group);
}
END_TEST

static void take_away(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    ck_assert_int_eq(remove(path), 0);
}

static void in_the_way_of(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    take_away(name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

START_TEST(a_weight_that_could_not_be_written_is_tried_again)
{
    static const char *const files[] = {"cpu.weight", "io.weight", "io.bfq.weight"};
    const struct job_limits limits = {.cpu_weight = 300, .io_weight = 200};
    make_group("");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (size_t j = 0; j < sizeof(files) / sizeof(files[0]); j++)
            make_file(files[j]);
        in_the_way_of(files[i]);
        struct job_group *group = job_group_new(folder, "job");
        job_group_weigh(group, &limits);
        take_away(files[i]);
        make_file(files[i]);
        job_group_weigh(group, &limits);
        ck_file("../cpu.weight", "300");
        ck_file("../io.weight", "200");
        ck_file("../io.bfq.weight", "200");
        job_group_free(group);
    }
}
END_TEST

/* Of one that could not be removed. */
START_TEST(what_the_job_before_had_does_not_stay)
{
    static const char *const files[] = {"memory.max", "memory.high", "memory.swap.max", "pids.max"};
    make_group("");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        write_file(files[i], "100");
    write_file("cgroup.freeze", "1");
    write_file("cpu.max", "100");
    write_file("cgroup.subtree_control", "cpuset\n");
    struct job_group *group = job_group_new(folder, "job");
    job_group_begin(group, 0, &none);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        ck_file(files[i], "max");
    ck_file("cgroup.freeze", "0");
    ck_file("cpu.max", "max");
    ck_file("cgroup.subtree_control", "-cpuset"); /* the last that is taken back */
    take_away("job/cgroup.subtree_control");
    take_away("job/cpu.max");
    job_group_free(group);
}
END_TEST

static bool is_there(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void make_folders(const char *below, unsigned deep)
{
    CLEANUP_FREE char *path = xasprintf("%s/job", folder);
    for (unsigned i = 0; i < deep; i++) {
        char *longer = xasprintf("%s/%s", path, below);
        free(path);
        path = longer;
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
}

/* Here it has files, so it is not removed itself. */
START_TEST(groups_that_a_job_made_in_its_own_are_removed)
{
    CLEANUP_FREE char *beside = xasprintf("%s/beside", folder);
    CLEANUP_FREE char *in_that = xasprintf("%s/in that", beside);
    CLEANUP_FREE char *link = xasprintf("%s/job/link", folder);
    make_group("");
    make_folders("container", 5);
    make_folders("other", 1);
    ck_assert(mkdir(beside, 0700) == 0 && mkdir(in_that, 0700) == 0);
    ck_assert_int_eq(symlink(beside, link), 0);
    struct job_group *group = job_group_new(folder, "job");
    job_group_begin(group, 0, &none);
    ck_assert(!is_there("job/container") && !is_there("job/other"));
    make_folders("container", 2);
    job_group_end(group);
    ck_assert(!is_there("job/container"));
    make_folders("deep", 20); /* for nobody, and it costs a descriptor each */
    job_group_begin(group, 0, &none);
    ck_assert(is_there("job/deep"));
    ck_assert_int_ge(job_group_fd(group), 0);
    ck_assert(is_there("job/link") && is_there("job/memory.max"));
    ck_assert_int_eq(remove(link), 0);
    ck_assert(rmdir(in_that) == 0 && rmdir(beside) == 0);
    job_group_free(group);
}
END_TEST

static void count_once_more(const char *events)
{
    write_file("memory.events", events);
    write_file("memory.peak", "12345678\n");
    write_file("cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 0\n");
}

static bool used(const char *events, struct job_exit *end)
{
    make_group("");
    struct job_group *group = job_group_new(folder, "job");
    job_group_begin(group, 0, &none);
    count_once_more(events);
    bool killed = job_group_usage(group, end);
    job_group_free(group);
    return killed;
}

START_TEST(usage_and_want_of_memory)
{
    struct job_exit end = {.max_rss_bytes = 1, .user_us = 1, .system_us = 1};
    ck_assert(!used("low 0\nhigh 0\nmax 7\noom 3\noom_kill 0\noom_group_kill 0\n", &end));
    ck_assert_uint_eq(end.max_rss_bytes, 12345678);
    ck_assert_uint_eq(end.user_us, 20);
    ck_assert_uint_eq(end.system_us, 10);
    ck_assert(used("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n", &end));
    ck_assert(!used("", &end));
}
END_TEST

/* It could not be removed, and goes on counting. */
START_TEST(what_the_job_before_used_is_not_this_ones)
{
    struct job_exit end = {.max_rss_bytes = 1};
    struct job_usage usage;
    make_group("");
    count_once_more("oom_kill 2\n");
    write_file("memory.current", "5000\n");
    struct job_group *group = job_group_new(folder, "job");
    job_group_begin(group, 0, &none);
    write_file("cpu.stat", "usage_usec 37\nuser_usec 25\nsystem_usec 12\n");
    ck_assert(!job_group_usage(group, &end));
    ck_assert(end.user_us == 5 && end.system_us == 2);
    ck_assert(end.max_rss_bytes == 1 && end.memory_source == MEMORY_UNKNOWN); /* it is not known */
    ck_assert(job_group_sample(group, &usage));
    ck_assert(usage.cpu_us == 7 && usage.memory_bytes == 5000);
    ck_assert(usage.peak_bytes == 0 && usage.source == MEMORY_UNKNOWN);
    write_file("memory.peak", "12345679\n");
    write_file("memory.events", "oom_kill 3\n");
    ck_assert(job_group_usage(group, &end));
    ck_assert(end.max_rss_bytes == 12345679 && end.memory_source == MEMORY_GROUP);
    job_group_free(group);
}
END_TEST

/* Of one that had other jobs: their files may still be in its cache; tmpfs is none. */
START_TEST(what_a_server_uses_now)
{
    struct job_usage usage;
    make_group("");
    write_file("memory.current", "90000\n");
    write_file("memory.stat", "anon 20000\nfile 70000\nkernel 0\nshmem 30000\n");
    write_file("pids.current", "2\n");
    struct job_group *group = job_group_new(folder, "job");
    job_group_begin(group, 0, &none);
    count_once_more("");
    ck_assert(job_group_sample(group, &usage));
    ck_assert_uint_eq(usage.memory_bytes, 90000);
    ck_assert(usage.peak_bytes == 12345678 && usage.source == MEMORY_GROUP);
    ck_assert(job_group_sample_server(group, &usage));
    ck_assert_uint_eq(usage.memory_bytes, 50000);
    ck_assert(usage.peak_bytes == 0 && usage.source == MEMORY_UNKNOWN);
    ck_assert(usage.cpu_us == 30 && usage.processes == 2);
    job_group_free(group);
}
END_TEST

START_TEST(without_a_group_nothing_is_done)
{
    struct job_group *group = job_group_new(NULL, "job");
    struct job_exit end = {.max_rss_bytes = 1, .user_us = 1};
    job_group_begin(group, 1, &none);
    job_group_weigh(group, &none);
    ck_assert_int_eq(job_group_fd(group), -1);
    ck_assert(!job_group_freeze(group, true) && !job_group_kill(group));
    ck_assert(!job_group_usage(group, &end) && end.max_rss_bytes == 1 && end.user_us == 1);
    job_group_end(group);
    job_group_free(group);
}
END_TEST

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    Suite *suite = suite_create("job_group");
    TCase *all = tcase_create("all");
    tcase_add_test(all, limits_and_orders);
    tcase_add_test(all, processors_of_its_own);
    tcase_add_test(all, limits_of_the_settings);
    tcase_add_test(all, weights);
    tcase_add_test(all, a_weight_that_could_not_be_written_is_tried_again);
    tcase_add_test(all, what_the_job_before_had_does_not_stay);
    tcase_add_test(all, groups_that_a_job_made_in_its_own_are_removed);
    tcase_add_test(all, what_the_job_before_used_is_not_this_ones);
    tcase_add_test(all, usage_and_want_of_memory);
    tcase_add_test(all, what_a_server_uses_now);
    tcase_add_test(all, without_a_group_nothing_is_done);
    suite_add_tcase(suite, all);
    const int status = suite_run(suite);
    CLEANUP_FREE char *remove = xasprintf("rm -rf %s", folder);
    return system(remove) == 0 ? status : EXIT_FAILURE; /* NOLINT */
}
