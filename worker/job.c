#include "worker/job.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "worker/child.h"
#include "worker/tree.h"
#include "worker/user.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define READ_BYTES 65536U
/* A pipe holds 64 KiB unless its owner enlarged it (1 MiB at most for users): after the last writer
 * is dead no more than this is left to read. */
#define DRAIN_READS 64
/* A killed tree is looked at again this often until it is gone. */
#define SWEEP_MS 5

enum phase { PHASE_IDLE, PHASE_RUNNING, PHASE_SWEEPING };

struct job {
    struct job_options options;
    const struct job_events *events;
    void *arg;
    struct output *output;
    struct child_starter *starter;
    char *buffer; /* READ_BYTES, between pipe and file */
    enum phase phase;
    struct attempt_id id;
    pid_t pid;          /* the main process; unreaped while PHASE_RUNNING */
    int pipes[3];       /* read ends: stdout, stderr, lines; -1 when closed */
    int64_t started_at; /* wall */
    int64_t started_mono;
    int64_t timeout_mono; /* 0: none */
    uint64_t grace_ms;
    bool stopping;
    enum exit_cause cause;
    int64_t kill_mono;   /* when KILL follows TERM */
    struct job_exit end; /* filled as it becomes known */
};

struct job *job_new(const struct job_options *options, const struct job_events *events, void *arg)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->options = *options;
    job->events = events;
    job->arg = arg;
    job->output = output_new(options->jobs_fd, options->group);
    job->starter = child_starter_new();
    job->buffer = xmalloc(READ_BYTES);
    if (job->starter == NULL)
        abort(); /* as for want of any small memory */
    for (int i = 0; i < 3; i++)
        job->pipes[i] = -1;
    return job;
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    for (int i = 0; i < 3; i++)
        cleanup_close(&job->pipes[i]);
    output_free(job->output);
    child_starter_free(job->starter);
    free(job->buffer);
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
    int writers[3];
};

static void close_start_fds(const struct start_fds *fds)
{
    cleanup_close(&fds->input);
    for (int i = 0; i < 3; i++)
        cleanup_close(&fds->writers[i]);
}

static int open_pipes(struct job *job, const struct job_run *run, struct start_fds *fds)
{
    *fds = (struct start_fds){.input = -1, .writers = {-1, -1, -1}};
    int count = run->is_processor ? 3 : 2;
    for (int i = 0; i < count; i++) {
        int pair[2];
        if (pipe2(pair, O_CLOEXEC) < 0)
            return -1;
        job->pipes[i] = pair[0];
        fds->writers[i] = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) /* our end only: the job's blocks */
            return -1;
        /* Its own, so that it may open /dev/stderr once more. */
        if (job->options.system_mode && fchown(pair[1], run->uid, run->gid) < 0)
            return -1;
    }
    fds->input = open_input(run, job->options.null_fd);
    return fds->input < 0 ? -1 : 0;
}

static void close_pipes(struct job *job)
{
    for (int i = 0; i < 3; i++) {
        cleanup_close(&job->pipes[i]);
        job->pipes[i] = -1;
    }
}

static void set_begin(struct job *job, const struct job_run *run)
{
    job->id = run->id;
    job->started_at = clock_wall_us();
    job->started_mono = clock_monotonic_us();
    job->timeout_mono =
        run->timeout_ms == 0 ? 0 : job->started_mono + (int64_t)run->timeout_ms * US_PER_MS;
    job->grace_ms = run->grace_ms;
    job->stopping = false;
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
    close_pipes(job);
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
    if (open_pipes(job, run, &fds) < 0) {
        close_start_fds(&fds);
        close_pipes(job);
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
        close_pipes(job);
    }
    close_start_fds(&fds);
    user_done(&user);
    if (result == 1)
        job->phase = PHASE_RUNNING;
    return result;
}

/* ---- while it runs ---- */

static void take_bytes(struct job *job, int which, const char *data, size_t bytes)
{
    if (which < 2) {
        output_add(job->output, which + 1, data, bytes);
    } else {
        output_add_events(job->output, data, bytes);
        job->events->lines(job->arg, &job->id, data, bytes);
    }
}

/* True when there may be more. */
static bool read_pipe(struct job *job, int which)
{
    ssize_t got = read(job->pipes[which], job->buffer, READ_BYTES);
    if (got > 0) {
        take_bytes(job, which, job->buffer, (size_t)got);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    cleanup_close(&job->pipes[which]);
    job->pipes[which] = -1;
    return false;
}

nfds_t job_poll(const struct job *job, struct pollfd *fds)
{
    nfds_t count = 0;
    for (int i = 0; i < 3; i++) {
        if (job->pipes[i] >= 0)
            fds[count++] = (struct pollfd){.fd = job->pipes[i], .events = POLLIN};
    }
    return count;
}

void job_handle(struct job *job, const struct pollfd *fds, nfds_t count)
{
    for (nfds_t at = 0; at < count; at++) {
        for (int i = 0; i < 3 && fds[at].revents != 0; i++) {
            if (job->pipes[i] == fds[at].fd) {
                (void)read_pipe(job, i);
                break;
            }
        }
    }
}

void job_signal(const struct job *job, int number)
{
    /* The main process is ours and unreaped, so this process group is its own and nobody else's. */
    if (job->phase == PHASE_RUNNING)
        (void)kill(-job->pid, number);
}

void job_stop(struct job *job, enum exit_cause cause, uint64_t grace_ms)
{
    if (job->phase != PHASE_RUNNING)
        return;
    int64_t kill_at = clock_monotonic_us() + (int64_t)grace_ms * US_PER_MS;
    if (job->stopping) {
        job->kill_mono = kill_at < job->kill_mono ? kill_at : job->kill_mono;
        return;
    }
    job->stopping = true;
    job->cause = cause;
    job->kill_mono = kill_at;
    tree_signal_children(SIGTERM);
    job_signal(job, SIGTERM);
    job_signal(job, SIGCONT);
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
    end->run_us = (uint64_t)(clock_monotonic_us() - job->started_mono);
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
    for (int i = 0; i < 3; i++) {
        for (int reads = 0; job->pipes[i] >= 0 && reads < DRAIN_READS && read_pipe(job, i); reads++)
            ;
    }
    close_pipes(job);
    output_end(job->output, &job->end);
    job->end.cause = (uint8_t)final_cause(job);
    job->phase = PHASE_IDLE;
}

static void lower(int *wait_ms, int64_t deadline_mono)
{
    int64_t left = deadline_mono - clock_monotonic_us();
    int ms = left <= 0 ? 0 : (int)(left / US_PER_MS > 3600000 ? 3600000 : left / US_PER_MS + 1);
    if (*wait_ms < 0 || ms < *wait_ms)
        *wait_ms = ms;
}

static void check_deadlines(struct job *job, int *ret_wait_ms)
{
    int64_t now = clock_monotonic_us();
    if (job->timeout_mono != 0 && !job->stopping && now >= job->timeout_mono)
        job_stop(job, EXIT_CAUSE_TIMEOUT, job->grace_ms);
    if (job->stopping && now >= job->kill_mono) {
        tree_signal_children(SIGKILL);
        job_signal(job, SIGKILL);
        lower(ret_wait_ms, now + SWEEP_MS * US_PER_MS);
    } else if (job->stopping) {
        lower(ret_wait_ms, job->kill_mono);
    } else if (job->timeout_mono != 0) {
        lower(ret_wait_ms, job->timeout_mono);
    }
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
        check_deadlines(job, ret_wait_ms);
    if (job->phase == PHASE_SWEEPING) {
        if (tree_sweep()) {
            complete(job);
            *ret_exit = job->end;
            return 1;
        }
        lower(ret_wait_ms, clock_monotonic_us() + SWEEP_MS * US_PER_MS);
    }
    return 0;
}
