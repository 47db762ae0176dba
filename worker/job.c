#include "worker/job.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/job_end.h"
#include "worker/job_internal.h"
#include "worker/cgroup.h"
#include "worker/tree.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* A killed tree is looked at again this often until it is gone. */
#define SWEEP_MS 5
/* poll counts on the clock that job times are measured by, so this is no more than a bound. */
#define WAIT_MS_MAX 3600000

static void read_notes(struct job *job)
{
    step_lines_read(&job->lines, &job->news);
    job->end.notes = job->news.notes;
    if (job->news.spawn_errno != 0)
        job->end.spawn_errno = (uint32_t)job->news.spawn_errno;
    if (job->news.failed[0] != '\0')
        memcpy(job->end.text, job->news.failed, sizeof(job->news.failed));
}

static void take_bytes(void *arg, enum pipe_kind which, const char *data, size_t bytes)
{
    struct job *job = arg;
    switch (which) {
    case PIPE_STDOUT:
    case PIPE_STDERR:
        output_add(job->output, which == PIPE_STDOUT ? 1 : 2, data, bytes);
        break;
    case PIPE_LINES:
        output_add_events(job->output, data, bytes);
        commit_read(job->commit, data, bytes);
        job->events->lines(job->arg, &job->id, data, bytes);
        break;
    case PIPE_NOTES:
        if (!step_lines_add(&job->lines, data, bytes))
            break; /* nothing new, however much the user's processes write */
        read_notes(job);
        job->events->notes(job->arg, &job->id, &job->end.notes);
        break;
    }
}

struct job *job_new(const struct job_options *options, const struct job_events *events, void *arg)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->options = *options;
    job->events = events;
    job->arg = arg;
    job->output = output_new(options->jobs_fd, options->group);
    job->pipes = pipes_new(take_bytes, job);
    job->group = job_group_new(options->worker_group, CGROUP_JOB_NAME);
    job->server = server_new(&job->options);
    job->starter = child_starter_new(!options->system_mode);
    job->commit = commit_new(&job->options, take_bytes, job);
    if (job->starter == NULL || job->commit == NULL)
        out_of_memory(); /* as for want of any small memory */
    return job;
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    pipes_free(job->pipes);
    job_group_free(job->group);
    output_free(job->output);
    child_starter_free(job->starter);
    commit_free(job->commit);
    server_free(job->server);
    step_done(&job->step);
    user_done(&job->user);
    job_run_done(&job->run);
    free(job);
}

bool job_running(const struct job *job)
{
    return job->phase != PHASE_IDLE;
}

const struct attempt_id *job_id(const struct job *job)
{
    return &job->id;
}

struct job_started job_started_record(const struct job *job)
{
    return (struct job_started){
        .id = job->id, .started_at = job->started_at, .pid = (uint32_t)job->pid};
}

/* ---- start ---- */

static void set_begin(struct job *job, const struct job_run *run)
{
    job->id = run->id;
    job->started_at = clock_wall_us();
    job->files_from = clock_file_us();
    timetable_begin(&job->times, run, clock_running_us());
    job->behind_kill_at = INT64_MAX;
    job->grace_ms = run->grace_ms;
    job->warn_signal = (int)run->warn_signal;
    job->suspended = job->out_of_memory = job->keeps_server = false;
    job->answered = job->served = false;
    job->news = (struct step_news){.spawn_errno = 0};
    job->cause = EXIT_CAUSE_NORMAL;
    job->stage = STAGE_JOB;
    job->lines.used = 0;
    job->lines.text[0] = '\0';
    job->end = (struct job_exit){.id = run->id, .started_at = job->started_at};
    output_begin(job->output, &run->id, run->output_max);
    commit_reset(job->commit);
}

/* No job may run as this user: that is its end, without a GO. */
static int refuse_user(struct job *job, const struct error *err, struct journal *journal,
                       struct job_exit *ret_exit)
{
    struct error ignored;
    job->end.cause = EXIT_CAUSE_SPAWN;
    job->end.spawn_errno = (uint32_t)err->saved_errno;
    job->end.ended_at = clock_wall_us();
    (void)snprintf(job->end.text, sizeof(job->end.text), "%.199s", err->text);
    output_end(job->output, &job->end);
    if (journal_exit(journal, &job->end, &ignored) < 0)
        log_error("%s", ignored.text);
    *ret_exit = job->end;
    return 0;
}

/* The process, which waits at its gate; GO; and the gate. -1: nothing of it has started. */
static int go(struct job *job, const struct job_run *run, struct start *start,
              struct journal *journal, struct error *err)
{
    if (job_start_process(job, run, start, err) < 0)
        return -1;
    const struct job_started started = job_started_record(job);
#ifdef BATCHD_MUTANT_GO_AFTER_EXEC /* crash tests build this to show that they can fail */
    child_go_on(job->starter);
    (void)usleep(50000);
#endif
    if (journal_go(journal, &started, err) < 0) {
        child_call_off(job->starter, job->pid);
        return -1;
    }
#ifndef BATCHD_MUTANT_GO_AFTER_EXEC
    child_go_on(job->starter);
#endif
    return 0;
}

/* Who is told what is meant for the job alone. */
static pid_t main_process(const struct job *job)
{
    const pid_t server = job->served && job->stage == STAGE_JOB ? server_pid(job->server) : 0;
    return server != 0 ? server : job->pid;
}

static int start_as(struct job *job, const struct job_run *run, struct journal *journal,
                    struct error *err)
{
    CLEANUP(start_done) struct start start = START_NONE;
    start.user = &job->user;
    const int served = server_takes(job->server, run, &job->user, &start.talk, err);
    if (served < 0)
        return -1;
    job->served = served > 0;
    if (start_prepare(&start, &job->options, job->pipes, run, job->served || step_begins(run),
                      err) < 0)
        return -1;
    job_group_begin(job->group, run->memory_bytes, &run->limits);
    job_group_weigh(job->group, &run->limits);
    job_group_bind(job->group, &run->bound);
    start.group_fd = job_group_fd(job->group);
    return go(job, run, &start, journal, err);
}

int job_start(struct job *job, struct job_run *run, struct journal *journal,
              struct job_exit *ret_exit, struct error *err)
{
    if (journal_reserve(journal, err) < 0)
        return -1;
    set_begin(job, run);
    int result = start_user(&job->options, run, &job->user, err);
    /* A database of users that does not answer is no end: it comes again. */
    if (result < 0 && err->code == ERROR_DENIED)
        return refuse_user(job, err, journal, ret_exit);
    if (result == 0)
        result = start_as(job, run, journal, err);
    if (result < 0) {
        job_group_weigh(job->group, &(struct job_limits){.nice = 0});
        server_release(job->server, false, 0);
        pipes_close(job->pipes);
        user_done(&job->user);
        return -1;
    }
    job->phase = PHASE_RUNNING;
    autogroup_begin(&job->autogroup, main_process(job), run->limits.nice, clock_running_us());
    (job->served ? sampler_begin_served : sampler_begin)(&job->sampler, clock_running_us());
    job->run = *run;
    *run = (struct job_run){.argv = NULL};
    return 1;
}

/* ---- while it runs ---- */

nfds_t job_poll(const struct job *job, struct pollfd *fds)
{
    nfds_t count = pipes_poll(job->pipes, fds);
    return count + commit_poll(job->commit, fds + count);
}

void job_handle(struct job *job, const struct pollfd *fds, nfds_t count)
{
    pipes_handle(job->pipes, fds, count);
    commit_handle(job->commit, fds, count);
}

static void send_signal(const struct job *job, int number, enum signal_whom whom)
{
    if (job->phase != PHASE_RUNNING)
        return;
    if (whom == SIGNAL_TREE)
        (void)tree_signal(number, NULL, NULL);
    else
        (void)kill(main_process(job), number); /* ours and unreaped, so it is nobody else's */
}

void job_signal(const struct job *job, int number, enum signal_whom whom)
{
    if (job->stage == STAGE_JOB) /* what comes behind it knows none of them */
        send_signal(job, number, whom);
}

static bool freeze(const struct job *job, bool frozen)
{
    const bool served = server_freeze(job->server, frozen);
    return job_group_freeze(job->group, frozen) && served;
}

/* False: some of it outran us, and is to be halted again. */
static bool halt(const struct job *job)
{
    return freeze(job, true) || tree_signal(SIGSTOP, NULL, NULL) != TREE_OUTRUN;
}

static void go_on(const struct job *job)
{
    (void)freeze(job, false);
    send_signal(job, SIGCONT, SIGNAL_TREE);
}

void job_suspend(struct job *job)
{
    if (job->phase != PHASE_RUNNING || job->suspended || job->times.stopping)
        return;
    job->suspended = true;
    send_signal(job, SIGTSTP, SIGNAL_TREE);
    timetable_suspend(&job->times, clock_running_us() + JOB_HALT_MS * US_PER_MS);
}

void job_resume(struct job *job)
{
    if (job->phase != PHASE_RUNNING || !job->suspended)
        return;
    job->suspended = false;
    timetable_resume(&job->times, clock_running_us());
    go_on(job);
}

bool job_suspended(const struct job *job)
{
    return job->suspended;
}

void job_watch(struct job *job, int64_t interval_us)
{
    sampler_tell_every(&job->sampler, interval_us, clock_running_us());
}

/* Its main process has ended, and what comes behind it is not done. */
static bool is_behind(const struct job *job)
{
    return job->phase != PHASE_IDLE && (job->stage == STAGE_CHECKPOINT ||
                                        (job->phase == PHASE_SWEEPING && job->stage == STAGE_JOB));
}

/* Its end is its own, whoever stops it now, unless its outputs are still to be placed or its server
 * did not begin it. A checkpoint
 * that is being made has as long as the job would have had; none is begun for who cancels. */
static void stop_behind(struct job *job, enum exit_cause cause, int64_t kill_at)
{
    struct timetable *own = job->stage == STAGE_CHECKPOINT ? &job->own_times : &job->times;
    const int64_t now = clock_running_us();
    if (!own->stopping &&
        ((job->run.output_count > 0 && job_end_well(&job->end)) || job_served_unbegun(job)))
        job->cause = cause;
    timetable_stop(own, now, kill_at);
    timetable_stop(&job->times, now, kill_at);
    job->behind_kill_at = kill_at < job->behind_kill_at ? kill_at : job->behind_kill_at;
    if (cause == EXIT_CAUSE_STOPPED)
        commit_reset(job->commit);
}

void job_stop(struct job *job, enum exit_cause cause, uint64_t grace_ms)
{
    const int64_t now = clock_running_us();
    const int64_t kill_at = now + (int64_t)grace_ms * US_PER_MS;
    const bool first = !job->times.stopping;
    if (is_behind(job)) {
        stop_behind(job, cause, kill_at);
        return;
    }
    if (job->phase != PHASE_RUNNING)
        return;
    timetable_stop(&job->times, now, kill_at);
    if (!first)
        return;
    job->cause = cause;
    job->suspended = false;
    if (grace_ms == 0) /* it would not hear of it */
        return;
    (void)freeze(job, true); /* nothing forks while it is told */
    send_signal(job, SIGTERM, SIGNAL_TREE);
    go_on(job);
}

/* ---- the clock, and the end ---- */

static void lower(int *wait_ms, int64_t left_us)
{
    int64_t left_ms = left_us <= 0 ? 0 : left_us / US_PER_MS + 1;
    int ms = left_ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)left_ms;
    if (*wait_ms < 0 || ms < *wait_ms)
        *wait_ms = ms;
}

/* Beside the job, unless it stands or is being killed: then that comes behind it. */
static void commit_beside(struct job *job, int64_t now, int *ret_wait_ms)
{
    const int64_t due = commit_due(job->commit);
    bool killed = job->times.stopping && now >= job->times.kill_at;
    if (job->stage != STAGE_JOB || job->suspended || killed || due == INT64_MAX)
        return;
    if (due > now)
        lower(ret_wait_ms, due - now);
    else
        commit_start(job->commit, &job->run, &job->user, job_group_fd(job->group), now);
}

static void sample(struct job *job, int64_t now, int *ret_wait_ms)
{
    struct job_usage usage;
    const struct job_group *server = job->served ? server_group(job->server) : NULL;
    if (job->stage != STAGE_JOB)
        return;
    if (job->sampler.begins && now >= job->sampler.next_at)
        sampler_note_before(&job->sampler, server_cpu_us(job->server), now);
    if (sampler_take(&job->sampler, job->group, server, now, &usage))
        job->events->usage(job->arg, &job->id, &usage);
    if (job->sampler.next_at != INT64_MAX)
        lower(ret_wait_ms, job->sampler.next_at - now);
}

static void follow_times(struct job *job, int *ret_wait_ms)
{
    int64_t now = clock_running_us();
    commit_beside(job, now, ret_wait_ms);
    sample(job, now, ret_wait_ms);
    const int64_t say_at = autogroup_tend(&job->autogroup, now);
    if (say_at != INT64_MAX)
        lower(ret_wait_ms, say_at - now);
    switch (timetable_due(&job->times, now)) {
    case DUE_KILL:
        job->keeps_server = false;
        (void)job_group_kill(job->group);
        (void)server_kill(job->server);
        (void)tree_kill(NULL, NULL);
        lower(ret_wait_ms, SWEEP_MS * US_PER_MS);
        return;
    case DUE_TIMEOUT:
        job_stop(job, EXIT_CAUSE_TIMEOUT, job->grace_ms);
        break;
    case DUE_WARNING:
        job_signal(job, job->warn_signal, SIGNAL_MAIN);
        break;
    case DUE_HALT:
        if (!halt(job)) {
            lower(ret_wait_ms, SWEEP_MS * US_PER_MS);
            return;
        }
        timetable_halt(&job->times, now);
        break;
    case DUE_NOTHING:
        break;
    }
    int64_t next = timetable_next(&job->times);
    if (next != INT64_MAX)
        lower(ret_wait_ms, next - now);
}

/* What comes behind the job is not its own, nor is a server, which had other jobs. */
static void note_orphan(void *arg, pid_t pid, const struct rusage *usage)
{
    struct job *job = arg;
    if (pid == server_pid(job->server))
        server_ended(job->server, SIGKILL, usage); /* by the sweep */
    else if (job->stage == STAGE_JOB)
        sampler_add_orphan(&job->sampler, usage);
}

/* Reaps what ended: orphans of the running job fall to us, and must not stay as zombies; so many at
 * a time, for a job can have more of them than we can take. True when the main process ended. */
static bool reap(struct job *job, int *ret_wait_ms)
{
    for (unsigned reaped = 0; reaped < TREE_REAPS_MAX; reaped++) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG | __WALL, &usage);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid > 0 && pid == commit_pid(job->commit))
            commit_ended(job->commit, status);
        else if (pid > 0 && pid == server_pid(job->server))
            server_ended(job->server, status, &usage);
        else if (pid > 0 && pid != job->pid)
            note_orphan(job, pid, &usage);
        if (pid == job->pid)
            job_note_status(job, status, &usage);
        if (pid <= 0 || pid == job->pid)
            return pid > 0;
    }
    lower(ret_wait_ms, 0);
    return false;
}

/* A server whose children it does not reap would keep us for ever: it has this many rounds. */
#define SPARED_ROUNDS 200U

/* What is left of it; true when nothing is. */
static bool sweep(struct job *job)
{
    if (++job->rounds > SPARED_ROUNDS)
        job->keeps_server = false;
    if (tree_sweep(job->keeps_server ? server_pid(job->server) : 0, note_orphan, job))
        return true;
    (void)job_group_kill(job->group);
    if (!job->keeps_server)
        (void)server_kill(job->server);
    return false;
}

void job_rest(struct job *job, int *ret_wait_ms)
{
    server_rest(job->server, ret_wait_ms);
}

int job_check(struct job *job, int *ret_wait_ms, struct job_exit *ret_exit)
{
    if (job->phase == PHASE_RUNNING && reap(job, ret_wait_ms)) {
        job->phase = PHASE_SWEEPING;
        job->rounds = 0;
    }
    if (job->phase == PHASE_RUNNING)
        follow_times(job, ret_wait_ms);
    if (job->phase == PHASE_SWEEPING) {
        if (!sweep(job)) {
            lower(ret_wait_ms, SWEEP_MS * US_PER_MS);
        } else if (job_goes_on(job)) {
            job->phase = PHASE_RUNNING;
            lower(ret_wait_ms, 0);
        } else {
            job_complete(job);
            *ret_exit = job->end;
            return 1;
        }
    }
    return 0;
}
