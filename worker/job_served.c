/* A job that the server does: how it begins, and what its end means for both. */
#include "worker/job_internal.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "worker/server.h"

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

/* Its process exits when the server has answered, and only then (step/serve.c). */
int job_served_status(struct job *job, int status)
{
    if (!job->served)
        return status;
    job->keeps_server = WIFEXITED(status) && job->cause == EXIT_CAUSE_NORMAL &&
                        !job->times.stopping && server_pid(job->server) != 0;
    if (WIFEXITED(status))
        return status;
    if (server_pid(job->server) != 0) { /* it may be dead, and this not known yet */
        int its_status;
        if (waitpid(server_pid(job->server), &its_status, WNOHANG) > 0)
            server_ended(job->server, its_status);
    }
    const int server = server_status(job->server);
    return server < 0 ? status : server;
}

/* The attempt is the same, and so is its GO: nothing of it was begun. */
bool job_served_again(struct job *job)
{
    CLEANUP(start_done) struct start start = START_NONE;
    struct error err;
    if (!job->served || job->keeps_server || job->cause != EXIT_CAUSE_NORMAL ||
        !server_declined(job->server))
        return false;
    job->served = false;
    server_release(job->server, false, 0);
    start.user = &job->user;
    job_group_begin(job->group, job->run.memory_bytes, &job->run.limits);
    start.group_fd = job_group_fd(job->group);
    if (start_prepare(&start, &job->options, job->pipes, &job->run, false, &err) == 0 &&
        job_start_process(job, &job->run, &start, &err) == 0) {
        child_go_on(job->starter);
        return true;
    }
    log_warning("job %llu is not begun again: %s", (unsigned long long)job->id.job, err.text);
    pipes_close(job->pipes);
    return false;
}

void job_served_usage(struct job *job)
{
    if (!job->served)
        return;
    job->out_of_memory = job->out_of_memory || server_out_of_memory(job->server);
    job->end.user_us += job->news.user_us;
    job->end.system_us += job->news.system_us;
    if (job->news.max_rss_bytes <= job->end.max_rss_bytes)
        return;
    job->end.max_rss_bytes = job->news.max_rss_bytes;
    job->end.memory_source = MEMORY_PROCESS;
}
