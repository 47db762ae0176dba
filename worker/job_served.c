/* A job that the server does: how it begins, and what its end means for both. */
#include "worker/job_internal.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "worker/server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

/* By the server, as itself, or by batchd-job where there is something to do first. */
int job_start_process(struct job *job, const struct job_run *run, struct start *start,
                      struct error *err)
{
    const char *program = job->options.step_program;
    if (!job->served && !step_begins(run))
        return start_child(start, job->starter, run, &job->pid, err);
    step_done(&job->step);
    job->step =
        job->served ? step_serve(run, program, server_pid(job->server)) : step_begin(run, program);
    return start_child(start, job->starter, &job->step, &job->pid, err);
}

/* It may be dead, and this not known yet. */
static void look_at_server(const struct job *job)
{
    int status;
    struct rusage usage;
    const pid_t server = server_pid(job->server);
    if (server != 0 && wait4(server, &status, WNOHANG, &usage) > 0)
        server_ended(job->server, status, &usage);
}

/* Its process exits when the server has answered, and only then (step/serve.c). */
int job_served_status(struct job *job, int status)
{
    struct error ignored;
    if (!job->served)
        return status;
    job->answered = WIFEXITED(status) && child_failed(job->starter, &job->step, &ignored) == 0;
    if (!job->answered)
        look_at_server(job);
    job->keeps_server = job->answered && job->cause == EXIT_CAUSE_NORMAL && !job->times.stopping &&
                        server_pid(job->server) != 0;
    const int server = server_status(job->server);
    return WIFEXITED(status) || server < 0 ? status : server;
}

bool job_served_unbegun(const struct job *job)
{
    return job->served && !job->answered && server_declined(job->server);
}

/* The attempt is the same, and so is its GO: nothing of it was begun. */
bool job_served_again(struct job *job)
{
    CLEANUP(start_done) struct start start = START_NONE;
    struct error err;
    if (!job_served_unbegun(job) || job->cause != EXIT_CAUSE_NORMAL || job->times.stopping)
        return false;
    job->served = false;
    server_release(job->server, false, 0);
    start.user = &job->user;
    job_group_begin(job->group, job->run.memory_bytes, &job->run.limits);
    job_group_bind(job->group, &job->run.bound);
    start.group_fd = job_group_fd(job->group);
    if (start_prepare(&start, &job->options, job->pipes, &job->run, false, &err) == 0 &&
        job_start_process(job, &job->run, &start, &err) == 0) {
        autogroup_begin(&job->autogroup, job->pid, job->run.limits.nice, clock_running_us());
        sampler_begin(&job->sampler, clock_running_us());
        child_go_on(job->starter);
        return true;
    }
    job->end.spawn_errno = (uint32_t)(err.saved_errno != 0 ? err.saved_errno : EAGAIN);
    (void)snprintf(job->end.text, sizeof(job->end.text), "%.199s", err.text);
    pipes_close(job->pipes);
    return false;
}

static void raise_peak(struct job_exit *end, uint64_t bytes, enum memory_source source)
{
    if (bytes <= end->max_rss_bytes)
        return;
    end->max_rss_bytes = bytes;
    end->memory_source = (uint8_t)(source);
}

/* Who told it waited for the job's process. What was seen has the server itself and batchd-job,
 * too, unless a control group counts: there what they share counts once, and it has children's. */
void job_served_settle(struct job *job)
{
    if (job->served && job->answered && job->news.told && job->news.max_rss_bytes > 0 &&
        !job->sampler.peak_grouped)
        job->sampler.peak_bytes = 0;
    sampler_settle(&job->sampler, &job->end);
}

void job_served_usage(struct job *job)
{
    const struct step_news *news = &job->news;
    if (!job->served)
        return;
    job->out_of_memory = job->out_of_memory || server_out_of_memory(job->server);
    if (!job->answered) {
        server_usage(job->server, &job->end);
        return;
    }
    server_note_usage(job->server, news->user_us, news->system_us);
    job->end.user_us += news->user_us;
    job->end.system_us += news->system_us;
    raise_peak(&job->end, news->max_rss_bytes, MEMORY_PROCESS);
    raise_peak(&job->end, job->sampler.peak_bytes, MEMORY_SAMPLED);
}
