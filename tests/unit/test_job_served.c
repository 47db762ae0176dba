/* What a job that a server does is seen to use, where the server has a control group: which may be
 * without the controller of memory. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "tests/unit/suite.h"
#include "worker/cgroup.h"
#include "worker/job_internal.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MEMORY 900000000U /* more than the test's child has */

static char folder[] = "/tmp/batchd-served-XXXXXX";
static const struct job_limits none;

static void write_file(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/" CGROUP_SERVER_NAME "/%s", folder, name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
}

/* Its server has told that it used 40 bytes. `memory`: of its group; "": none is counted. */
static struct job *served_job(const char *memory)
{
    CLEANUP_FREE char *path = xasprintf("%s/" CGROUP_SERVER_NAME, folder);
    struct job *job = xcalloc(1, sizeof(*job));
    *job = (struct job){.options.worker_group = folder, .served = true, .answered = true};
    job->news = (struct step_news){.told = true, .max_rss_bytes = 40};
    job->group = job_group_new(NULL, CGROUP_JOB_NAME);
    job->server = server_new(&job->options);
    (void)mkdir(path, 0700);
    write_file("cpu.stat", "");
    job_group_begin((struct job_group *)(uintptr_t)server_group(job->server), 0, &none);
    write_file("cpu.stat", "usage_usec 5000000\n");
    write_file("memory.current", memory);
    return job;
}

static void free_job(struct job *job)
{
    server_free(job->server);
    job_group_free(job->group);
    free(job);
}

/* As the job's processes a child of ours is seen. */
static void look(struct job *job)
{
    struct job_usage usage;
    const int64_t now = clock_running_us();
    const pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    sampler_begin_served(&job->sampler, now);
    sampler_note_before(&job->sampler, server_cpu_us(job->server), now);
    (void)sampler_take(&job->sampler, job->group, server_group(job->server), now + US_PER_SECOND,
                       &usage);
    (void)kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(usage.memory_bytes > 0);
}

START_TEST(what_the_server_told_counts_where_its_group_counts_no_memory)
{
    struct job *job = served_job("");
    ck_assert_int_ge(job_group_fd(server_group(job->server)), 0);
    look(job);
    ck_assert_uint_gt(job->sampler.peak_bytes, 40);
    job_served_settle(job);
    job_served_usage(job);
    ck_assert_uint_eq(job->end.max_rss_bytes, 40);
    ck_assert_uint_eq(job->end.memory_source, MEMORY_PROCESS);
    free_job(job);
}
END_TEST

START_TEST(what_the_group_counts_does_where_it_does)
{
    struct job *job = served_job("900000000\n");
    look(job);
    job_served_settle(job);
    job_served_usage(job);
    ck_assert_uint_eq(job->end.max_rss_bytes, MEMORY);
    ck_assert_uint_eq(job->end.memory_source, MEMORY_SAMPLED);
    free_job(job);
}
END_TEST

/* What was used before is to be of what is looked at then. */
START_TEST(time_before_the_job_is_by_processes_where_the_job_is)
{
    struct job *job = served_job("");
    ck_assert_uint_eq(server_cpu_us(job->server), 0);
    free_job(job);
    job = served_job("900000000\n");
    ck_assert_uint_eq(server_cpu_us(job->server), 5000000);
    free_job(job);
}
END_TEST

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    Suite *suite = suite_create("job_served");
    TCase *all = tcase_create("all");
    tcase_add_test(all, what_the_server_told_counts_where_its_group_counts_no_memory);
    tcase_add_test(all, what_the_group_counts_does_where_it_does);
    tcase_add_test(all, time_before_the_job_is_by_processes_where_the_job_is);
    suite_add_tcase(suite, all);
    const int status = suite_run(suite);
    CLEANUP_FREE char *remove = xasprintf("rm -rf %s", folder);
    return system(remove) == 0 ? status : EXIT_FAILURE; /* NOLINT */
}
