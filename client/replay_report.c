#include "client/replay_report.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <stdlib.h>

#define SLOWDOWN_BOUND_US (10 * US_PER_SECOND)

static double seconds(int64_t us)
{
    return (double)us / US_PER_SECOND;
}

static double slowdown_of(const struct simulated_job *job)
{
    int64_t bound = job->run_us > SLOWDOWN_BOUND_US ? job->run_us : SLOWDOWN_BOUND_US;
    double slowdown = (double)(job->started_at - job->submitted_at + job->run_us) / (double)bound;
    return slowdown < 1 ? 1 : slowdown;
}

static double work_of(const struct simulated_job *job)
{
    return seconds(job->run_us) * job->cpus;
}

static int by_number(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

/* The nearest rank: the smallest wait that at least 95 % of the jobs do not exceed. */
static double p95_wait(const struct simulated_job *jobs, size_t count)
{
    int64_t *waits = xreallocarray(NULL, count, sizeof(*waits));
    for (size_t i = 0; i < count; i++)
        waits[i] = jobs[i].started_at - jobs[i].submitted_at;
    qsort(waits, count, sizeof(*waits), by_number);
    double wait = seconds(waits[(count * 95 + 99) / 100 - 1]);
    free(waits);
    return wait;
}

static int by_uid(const void *a, const void *b)
{
    uint32_t first = ((const struct replay_user *)a)->uid;
    uint32_t second = ((const struct replay_user *)b)->uid;
    return (first > second) - (first < second);
}

/* One entry a job, sorted, those of one user added up. */
static void add_users(const struct simulated_job *jobs, size_t count, double work,
                      struct replay_report *report)
{
    struct replay_user *users = xcalloc(count, sizeof(*users));
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        users[i] = (struct replay_user){.uid = jobs[i].sched.uid,
                                        .jobs = 1,
                                        .share = work > 0 ? work_of(&jobs[i]) / work : 0,
                                        .wait = seconds(jobs[i].started_at - jobs[i].submitted_at),
                                        .slowdown = slowdown_of(&jobs[i])};
    qsort(users, count, sizeof(*users), by_uid);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || users[used - 1].uid != users[i].uid) {
            users[used++] = users[i];
            continue;
        }
        users[used - 1].jobs++;
        users[used - 1].share += users[i].share;
        users[used - 1].wait += users[i].wait;
        users[used - 1].slowdown += users[i].slowdown;
    }
    for (size_t i = 0; i < used; i++) {
        users[i].wait /= (double)users[i].jobs;
        users[i].slowdown /= (double)users[i].jobs;
    }
    report->users = users;
    report->user_count = used;
}

static double jain(const struct replay_report *report, double (*value)(const struct replay_user *))
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < report->user_count; i++) {
        double x = value(&report->users[i]);
        sum += x;
        squares += x * x;
    }
    return squares > 0 ? sum * sum / ((double)report->user_count * squares) : 1;
}

static double share_of(const struct replay_user *user)
{
    return user->share;
}

static double user_slowdown(const struct replay_user *user)
{
    return user->slowdown;
}

void replay_report_make(const struct simulated_job *jobs, size_t count, uint64_t processors,
                        struct replay_report *ret)
{
    struct replay_report report = {.jobs = count};
    double work = 0;
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        int64_t end = jobs[i].started_at + jobs[i].run_us;
        work += work_of(&jobs[i]);
        report.wait += seconds(jobs[i].started_at - jobs[i].submitted_at) / (double)count;
        report.slowdown += slowdown_of(&jobs[i]) / (double)count;
        first = jobs[i].submitted_at < first ? jobs[i].submitted_at : first;
        last = end > last ? end : last;
    }
    if (count > 0) {
        report.wait_p95 = p95_wait(jobs, count);
        report.makespan = seconds(last - first);
        add_users(jobs, count, work, &report);
    }
    if (report.makespan > 0)
        report.utilisation = work / (report.makespan * (double)processors);
    report.jain_share = jain(&report, share_of);
    report.jain_slowdown = jain(&report, user_slowdown);
    *ret = report;
}

void replay_report_done(struct replay_report *report)
{
    free(report->users);
    *report = (struct replay_report){0};
}

json_t *replay_report_json(const struct replay_report *report)
{
    json_t *object = json_object();
    json_t *users = json_array();
    json_put_int(object, "jobs", (json_int_t)report->jobs);
    json_put(object, "mean_wait_s", json_real(report->wait));
    json_put(object, "p95_wait_s", json_real(report->wait_p95));
    json_put(object, "mean_bounded_slowdown", json_real(report->slowdown));
    json_put(object, "makespan_s", json_real(report->makespan));
    json_put(object, "utilisation", json_real(report->utilisation));
    json_put(object, "jain_index", json_real(report->jain_share));
    json_put(object, "jain_index_slowdown", json_real(report->jain_slowdown));
    for (size_t i = 0; i < report->user_count; i++) {
        const struct replay_user *user = &report->users[i];
        json_t *one = json_object();
        json_put_int(one, "uid", user->uid);
        json_put_int(one, "jobs", (json_int_t)user->jobs);
        json_put(one, "share", json_real(user->share));
        json_put(one, "mean_wait_s", json_real(user->wait));
        json_put(one, "mean_bounded_slowdown", json_real(user->slowdown));
        (void)json_array_append_new(users, one);
    }
    json_put(object, "users", users);
    return object;
}
