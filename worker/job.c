#include "worker/job.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "worker/child.h"
#include "worker/timetable.h"
#include "worker/tree.h"
#include "worker/user.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* A killed tree is looked at again this often until it is gone. */
#define SWEEP_MS 5
/* poll counts on the clock that job times are measured by, so this is no more than a bound. */
#define WAIT_MS_MAX 3600000

enum phase { PHASE_IDLE, PHASE_RUNNING, PHASE_SWEEPING };

struct job {
    struct job_options options;
    const struct job_events *events;
    void *arg;
    struct output *output;
    struct pipes *pipes;
    struct child_starter *starter;
    enum phase phase;
    struct attempt_id id;
    pid_t pid;          /* the main process; unreaped while PHASE_RUNNING */
    int64_t started_at; /* wall */
    struct timetable times;
    uint64_t grace_ms;
    int warn_signal;
    bool suspended;        /* or about to be */
    enum exit_cause cause; /* why it was stopped */
    struct job_exit end;   /* filled as it becomes known */
};

static void take_bytes(void *arg, int which, const char *data, size_t bytes)
{
    struct job *job = arg;
    if (which < 2) {
        output_add(job->output, which + 1, data, bytes);
    } else {
        output_add_events(job->output, data, bytes);
        job->events->lines(job->arg, &job->id, data, bytes);
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
    job->starter = child_starter_new();
    if (job->starter == NULL)
        out_of_memory(); /* as for want of any small memory */
    return job;
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    pipes_free(job->pipes);
    output_free(job->output);
    child_starter_free(job->starter);
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

/* A processor's input: a file in memory, so that no writer has to be kept. */
static int open_input(const struct job_run *run, int null_fd)
{
    if (!run->is_processor)
        return fcntl(null_fd, F_DUPFD_CLOEXEC, 10);
    CLEANUP_CLOSE int fd = memfd_create("batchd-input", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, run->input, strlen(run->input)) < 0 ||
        fd_write_all(fd, "\n", 1) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    return TAKE_FD(fd);
}

struct start_fds {
    int input;
    int writers[PIPES_MAX];
};

static void close_start_fds(const struct start_fds *fds)
{
    cleanup_close(&fds->input);
    for (int i = 0; i < PIPES_MAX; i++)
        cleanup_close(&fds->writers[i]);
}

static int open_fds(struct job *job, const struct job_run *run, struct start_fds *fds)
{
    uid_t owner = job->options.system_mode ? run->uid : (uid_t)-1;
    fds->input = -1;
    if (pipes_open(job->pipes, run->is_processor ? 3 : 2, owner, run->gid, fds->writers) < 0)
        return -1;
    fds->input = open_input(run, job->options.null_fd);
    return fds->input < 0 ? -1 : 0;
}

static void set_begin(struct job *job, const struct job_run *run)
{
    job->id = run->id;
    job->started_at = clock_wall_us();
    timetable_begin(&job->times, run, clock_running_us());
    job->grace_ms = run->grace_ms;
    job->warn_signal = (int)run->warn_signal;
    job->suspended = false;
    job->cause = EXIT_CAUSE_NORMAL;
    job->end = (struct job_exit){.id = run->id, .started_at = job->started_at};
    output_begin(job->output, &run->id, run->output_max);
}

/* It was given GO and could not be executed: that is its end. */
static int fail_start(struct job *job, const struct error *err, struct journal *journal,
                      struct job_exit *ret_exit)
{
    struct error ignored;
    job->end.cause = EXIT_CAUSE_SPAWN;
    job->end.spawn_errno = (uint32_t)err->saved_errno;
    job->end.ended_at = clock_wall_us();
    (void)snprintf(job->end.text, sizeof(job->end.text), "%.199s", err->text);
    pipes_close(job->pipes);
    output_end(job->output, &job->end);
    if (journal_exit(journal, &job->end, &ignored) < 0)
        log_error("%s", ignored.text);
    *ret_exit = job->end;
    return 0;
}

int job_start(struct job *job, const struct job_run *run, struct journal *journal,
              struct job_exit *ret_exit, struct error *err)
{
    struct start_fds fds;
    struct user user = {0};
    if (journal_reserve(journal, err) < 0)
        return -1;
    set_begin(job, run);
    /* A user who may not is an end; a database that does not answer is not: it comes again. */
    if (user_check(run, job->options.system_mode, &user, err) < 0)
        return err->code == ERROR_DENIED ? fail_start(job, err, journal, ret_exit) : -1;
    if (open_fds(job, run, &fds) < 0) {
        close_start_fds(&fds);
        pipes_close(job->pipes);
        user_done(&user);
        return error_set_errno(err, "cannot make its pipes");
    }
    const struct job_started go = job_started_record(job);
    int result = 0;
#ifndef BATCHD_MUTANT_GO_AFTER_EXEC /* crash tests build this to show that they can fail */
    result = journal_go(journal, &go, err);
#endif
    if (result == 0) {
        const struct child_plan plan = {.run = run,
                                        .stdin_fd = fds.input,
                                        .stdout_fd = fds.writers[0],
                                        .stderr_fd = fds.writers[1],
                                        .lines_fd = fds.writers[2],
                                        .change_user = user.change,
                                        .groups = user.groups,
                                        .group_count = user.group_count,
                                        .env = user.env != NULL ? user.env : run->env,
                                        .no_new_privs = user.change && !job->options.allow_setuid};
        result = child_start(job->starter, &plan, &job->pid, err) == 0
                     ? 1
                     : fail_start(job, err, journal, ret_exit);
#ifdef BATCHD_MUTANT_GO_AFTER_EXEC
        (void)usleep(50000);
        (void)journal_go(journal, &go, err);
#endif
    } else {
        pipes_close(job->pipes);
    }
    close_start_fds(&fds);
    user_done(&user);
    if (result == 1)
        job->phase = PHASE_RUNNING;
    return result;
}

/* ---- while it runs ---- */

nfds_t job_poll(const struct job *job, struct pollfd *fds)
{
    return pipes_poll(job->pipes, fds);
}

void job_handle(struct job *job, const struct pollfd *fds, nfds_t count)
{
    pipes_handle(job->pipes, fds, count);
}

void job_signal(const struct job *job, int number, enum signal_whom whom)
{
    if (job->phase != PHASE_RUNNING)
        return;
    if (whom == SIGNAL_TREE)
        (void)tree_signal(number, NULL, NULL);
    else
        (void)kill(job->pid, number); /* ours and unreaped, so it is nobody else's */
}

void job_suspend(struct job *job)
{
    if (job->phase != PHASE_RUNNING || job->suspended || job->times.stopping)
        return;
    job->suspended = true;
    job_signal(job, SIGTSTP, SIGNAL_TREE);
    timetable_suspend(&job->times, clock_running_us() + JOB_HALT_MS * US_PER_MS);
}

void job_resume(struct job *job)
{
    if (job->phase != PHASE_RUNNING || !job->suspended)
        return;
    job->suspended = false;
    timetable_resume(&job->times, clock_running_us());
    job_signal(job, SIGCONT, SIGNAL_TREE);
}

bool job_suspended(const struct job *job)
{
    return job->suspended;
}

void job_stop(struct job *job, enum exit_cause cause, uint64_t grace_ms)
{
    if (job->phase != PHASE_RUNNING)
        return;
    int64_t now = clock_running_us();
    bool first = !job->times.stopping;
    timetable_stop(&job->times, now, now + (int64_t)grace_ms * US_PER_MS);
    if (!first)
        return;
    job->cause = cause;
    job->suspended = false;
    job_signal(job, SIGTERM, SIGNAL_TREE);
    job_signal(job, SIGCONT, SIGNAL_TREE);
}

/* ---- the end ---- */

static void note_status(struct job *job, int status, const struct rusage *usage)
{
    struct job_exit *end = &job->end;
    end->has_code = WIFEXITED(status);
    end->exit_code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 0;
    end->has_signal = WIFSIGNALED(status);
    end->signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
    end->core = WIFSIGNALED(status) && WCOREDUMP(status);
    end->user_us = (uint64_t)(usage->ru_utime.tv_sec * US_PER_SECOND + usage->ru_utime.tv_usec);
    end->system_us = (uint64_t)(usage->ru_stime.tv_sec * US_PER_SECOND + usage->ru_stime.tv_usec);
    end->max_rss_bytes = (uint64_t)usage->ru_maxrss * 1024;
    end->read_blocks = (uint64_t)usage->ru_inblock;
    end->write_blocks = (uint64_t)usage->ru_oublock;
    end->ended_at = clock_wall_us();
    end->run_us = (uint64_t)timetable_ran_us(&job->times, clock_running_us());
}

/* A job that was asked to stop and ended well all the same has its own result. */
static enum exit_cause final_cause(const struct job *job)
{
    if (job->cause != EXIT_CAUSE_NORMAL && job->end.has_code && job->end.exit_code == 0)
        return job->cause == EXIT_CAUSE_STOPPED ? EXIT_CAUSE_STOPPED : EXIT_CAUSE_NORMAL;
    return job->cause;
}

static void complete(struct job *job)
{
    pipes_drain(job->pipes);
    output_end(job->output, &job->end);
    job->end.cause = (uint8_t)final_cause(job);
    job->phase = PHASE_IDLE;
}

static void lower(int *wait_ms, int64_t left_us)
{
    int64_t left_ms = left_us <= 0 ? 0 : left_us / US_PER_MS + 1;
    int ms = left_ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)left_ms;
    if (*wait_ms < 0 || ms < *wait_ms)
        *wait_ms = ms;
}

static void follow_times(struct job *job, int *ret_wait_ms)
{
    int64_t now = clock_running_us();
    switch (timetable_due(&job->times, now)) {
    case DUE_KILL:
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
        job_signal(job, SIGSTOP, SIGNAL_TREE);
        timetable_halt(&job->times, now);
        break;
    case DUE_NOTHING:
        break;
    }
    int64_t next = timetable_next(&job->times);
    if (next != INT64_MAX)
        lower(ret_wait_ms, next - now);
}

/* Reaps what ended: orphans of the running job fall to us, and must not stay as zombies. True when
 * the main process ended. */
static bool reap(struct job *job)
{
    siginfo_t ended = {.si_pid = 0};
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           ended.si_pid != 0) {
        int status;
        struct rusage usage;
        if (wait4(ended.si_pid, &status, WNOHANG | __WALL, &usage) == job->pid) {
            note_status(job, status, &usage);
            return true;
        }
        ended.si_pid = 0;
    }
    return false;
}

int job_check(struct job *job, int *ret_wait_ms, struct job_exit *ret_exit)
{
    if (job->phase == PHASE_RUNNING && reap(job))
        job->phase = PHASE_SWEEPING;
    if (job->phase == PHASE_RUNNING)
        follow_times(job, ret_wait_ms);
    if (job->phase == PHASE_SWEEPING) {
        if (tree_sweep()) {
            complete(job);
            *ret_exit = job->end;
            return 1;
        }
        lower(ret_wait_ms, SWEEP_MS * US_PER_MS);
    }
    return 0;
}
