/* What comes when the main process of a job has ended: its end is noted, and batchd-job makes the
 * checkpoint that was asked for last, looks at the outputs and places them, or removes what is not
 * to be placed. */
#include "worker/job_internal.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "worker/job_end.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Checks of outputs end after this, also where the job has no timeout. */
#define CHECKS_MS (INT64_C(600) * 1000)
/* A few calls to remove names; a file system that hangs must not keep the worker. */
#define DISCARD_MS 10000
/* A checkpoint that a processor asked for before it ended has this long to be made. All that comes
 * behind a job is over before a worker that was told to end is killed (batchd-worker.service). */
#define COMMIT_MS 20000

/* ---- what has ended ---- */

/* The process ended before it was the job. */
static void note_failed_start(struct job *job)
{
    struct error err;
    if (child_failed(job->starter, &job->run, &err) == 0)
        return;
    job->end.spawn_errno = (uint32_t)err.saved_errno;
    (void)snprintf(job->end.text, sizeof(job->end.text), "%.199s", err.text);
}

/* batchd-job tells by itself why no checkpoint was made, unless it never ran or was killed. */
static void note_checkpoint(struct job *job, int status)
{
    struct error err;
    if (child_failed(job->starter, &job->step, &err) < 0)
        commit_tell_failure(job->commit, err.text);
    else if (WIFSIGNALED(status))
        commit_tell_failure(job->commit, "it took too long");
}

static void note_finish(struct job *job, int status)
{
    struct error err;
    if (child_failed(job->starter, &job->step, &err) < 0)
        job_end_bad_outputs(&job->end, err.text);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        job_end_bad_outputs(&job->end, job->cause == EXIT_CAUSE_TIMEOUT
                                           ? "to check them took too long"
                                           : "batchd-job, which checks them, did not end well");
}

void job_note_status(struct job *job, int status, const struct rusage *usage)
{
    job->end.ended_at = clock_wall_us();
    switch (job->stage) {
    case STAGE_JOB:
        status = job_served_status(job, status);
        note_failed_start(job);
        job_end_status(&job->end, status, usage);
        job->end.run_us = (uint64_t)timetable_ran_us(&job->times, clock_running_us());
        break;
    case STAGE_CHECKPOINT:
        note_checkpoint(job, status);
        break;
    case STAGE_FINISH:
        note_finish(job, status);
        break;
    case STAGE_DISCARD:
        break;
    }
}

void job_complete(struct job *job)
{
    output_end(job->output, &job->end);
    const struct job_end_facts facts = {.stopped_for = job->cause,
                                        .out_of_memory = job->out_of_memory,
                                        .disk_full = output_disk_full(job->output)};
    if (job->end.spawn_errno != 0)
        job_end_not_executed(&job->end, &job->run);
    job_end_settle(&job->end, &job->run, &facts);
    job_group_end(job->group);
    job_group_weigh(job->group, &(struct job_limits){.nice = 0});
    server_release(job->server, job->keeps_server, job->end.run_us);
    job->phase = PHASE_IDLE;
    user_done(&job->user);
    job_run_done(&job->run);
}

/* ---- what comes behind it ---- */

/* Takes the step. */
static int start_step(struct job *job, enum stage stage, struct job_run step, struct error *err)
{
    CLEANUP(start_done) struct start start = START_NONE;
    step_done(&job->step);
    job->step = step;
    job->stage = stage;
    autogroup_begin(&job->autogroup, 0, 0, 0); /* the job's leader is no more */
    job->suspended = false;                    /* its time goes on, or this might never end */
    /* A new group: what is born into a halted one stands, and into one that has been killed some
     * kernels (6.1.176) let nothing be born alive. */
    job_group_begin(job->group, job->run.memory_bytes, &job->run.limits);
    job_group_bind(job->group, &job->run.bound); /* as long as it has one of them */
    (void)job_group_freeze(job->group, false);
    start.group_fd = job_group_fd(job->group);
    start.user = &job->user;
    if (start_prepare(&start, &job->options, job->pipes, &job->step, true, err) == 0 &&
        start_child(&start, job->starter, &job->step, &job->pid, err) == 0) {
        child_go_on(job->starter);
        return 0;
    }
    pipes_close(job->pipes);
    return -1;
}

static void allow_no_more_than(struct job *job, int64_t span_ms)
{
    const struct job_run none = {.timeout_ms = 0};
    int64_t now = clock_running_us();
    timetable_begin(&job->times, &none, now);
    timetable_stop(&job->times, now, now + span_ms * US_PER_MS);
}

/* What it asked for last and has not been made yet: it may have asked because it was told to end.
 * Who cancelled it does not want to wait for that, and who stopped it behind its end no longer than
 * was said. */
static bool commits(struct job *job)
{
    struct error err;
    CLEANUP_FREE char *line = commit_take(job->commit);
    if (line == NULL || job->cause == EXIT_CAUSE_STOPPED)
        return false;
    job->own_times = job->times;
    allow_no_more_than(job, COMMIT_MS);
    timetable_stop(&job->times, clock_running_us(), job->behind_kill_at);
    if (start_step(job, STAGE_CHECKPOINT,
                   step_checkpoint(&job->run, job->options.step_program, line), &err) == 0)
        return true;
    commit_tell_failure(job->commit, err.text);
    job->times = job->own_times;
    return false;
}

/* The job's own time goes on; when there is none, or much of it, this ends all the same. */
static bool finishes(struct job *job)
{
    struct error err;
    int64_t now = clock_running_us();
    int64_t limit = timetable_ran_us(&job->times, now) + CHECKS_MS * US_PER_MS;
    timetable_resume(&job->times, now);
    if (start_step(job, STAGE_FINISH,
                   step_finish(&job->run, job->options.step_program, job->files_from), &err) < 0) {
        job_end_bad_outputs(&job->end, err.text);
        return false;
    }
    timetable_shorten(&job->times, limit);
    return true;
}

static bool discards(struct job *job)
{
    struct error err;
    allow_no_more_than(job, DISCARD_MS);
    return start_step(job, STAGE_DISCARD, step_discard(&job->run, job->options.step_program),
                      &err) == 0;
}

bool job_goes_on(struct job *job)
{
    pipes_drain(job->pipes);
    if (job->stage == STAGE_JOB) {
        if (job_served_again(job))
            return true;
        job_served_settle(job);
        job->out_of_memory = job_group_usage(job->group, &job->end);
        job_served_usage(job);
        if (commits(job))
            return true;
    } else if (job->stage == STAGE_CHECKPOINT) {
        job->times = job->own_times;
    }
    bool placed = job->stage == STAGE_FINISH && job->end.cause != EXIT_CAUSE_OUTPUT;
    if (job->run.output_count == 0 || job->stage == STAGE_DISCARD || placed)
        return false;
    if (job->stage != STAGE_FINISH && job_end_well(&job->end) && job->cause != EXIT_CAUSE_STOPPED)
        return finishes(job) || discards(job);
    return discards(job);
}
