#include "processors/lib/served_job.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>

#define REPORT_FD 3
/* A result of ten thousand files has 3 MiB; a longer line is dropped. */
#define LINE_BYTES_MAX (16U << 20)
#define READ_BYTES 65536U

struct job {
    struct server *server;
    char *number; /* owned; as it stands in JSON: "42", or "null" where the line has none */
    pid_t process;
    int ended;  /* pidfd */
    int lines;  /* the pipe; not blocking */
    char *text; /* owned; of the line that is coming, `used` bytes */
    size_t used;
    bool answered, failed; /* it said its result; our output is closed */
};

static void job_done(struct job *job)
{
    free(job->number);
    free(job->text);
    cleanup_close(&job->ended);
    cleanup_close(&job->lines);
}

/* ---- the process ---- */

/* The line as a file to read: a pipe would have to be filled by somebody. */
static int line_file(const char *line, size_t bytes)
{
    int fd = memfd_create("job", MFD_CLOEXEC);
    if (fd >= 0 && (fd_write_all(fd, line, bytes) < 0 || lseek(fd, 0, SEEK_SET) < 0)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static _Noreturn void be_job(const struct server *server, pid_t parent, int line, int lines)
{
    /* A job does not outlive who waits for it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
        dup2(line, STDIN_FILENO) < 0 || dup2(lines, REPORT_FD) < 0)
        _exit(EX_TEMPFAIL);
    (void)close(line);
    (void)close(lines);
    (void)close(server->signals);
    (void)sigprocmask(SIG_UNBLOCK, &server->stops, NULL);
    exit(server->calls->job(server->calls->processor));
}

static int start(struct job *job, const char *line, size_t bytes)
{
    int ends[2] = {-1, -1};
    pid_t parent = getpid();
    CLEANUP_CLOSE int file = line_file(line, bytes);
    if (file < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    CLEANUP_CLOSE int theirs = ends[1];
    job->lines = ends[0];
    job->process = fork();
    if (job->process == 0) {
        (void)close(ends[0]);
        be_job(job->server, parent, file, theirs);
    }
    if (job->process < 0 || fd_set_nonblock(job->lines, true) < 0)
        return -1;
    job->ended = (int)syscall(SYS_pidfd_open, job->process, 0);
    return job->ended < 0 ? -1 : 0;
}

/* ---- its lines ---- */

static void hand_on(struct job *job, const char *rest)
{
    CLEANUP_FREE char *line = xasprintf("{\"job\":%s,%s\n", job->number, rest);
    if (fd_write_all(job->server->output, line, strlen(line)) < 0)
        job->failed = true;
}

static void take_line(struct job *job, const char *line, size_t bytes)
{
    CLEANUP_JSON json_t *value = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(value, "type"));
    if (job->answered || type == NULL || line[0] != '{' || json_object_get(value, "job") != NULL)
        return;
    CLEANUP_FREE char *rest = xasprintf("%.*s", (int)bytes - 1, line + 1);
    job->answered = strcmp(type, "result") == 0;
    hand_on(job, rest);
}

static void take_lines(struct job *job)
{
    char *end;
    size_t at = 0;
    while ((end = memchr(job->text + at, '\n', job->used - at)) != NULL) {
        take_line(job, job->text + at, (size_t)(end - job->text) - at);
        at = (size_t)(end - job->text) + 1;
    }
    memmove(job->text, job->text + at, job->used - at);
    job->used -= at;
    if (job->used > LINE_BYTES_MAX)
        job->used = 0;
}

/* Whether there may be more. */
static bool read_lines(struct job *job)
{
    job->text = xreallocarray(job->text, job->used + READ_BYTES, 1);
    ssize_t got = read(job->lines, job->text + job->used, READ_BYTES);
    if (got > 0) {
        job->used += (size_t)got;
        take_lines(job);
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

/* ---- its end ---- */

static void pass_signal(struct job *job)
{
    struct signalfd_siginfo info;
    if (read(job->server->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    job->server->stopped = true;
    (void)kill(job->process, SIGTERM);
}

static int wait_for_end(struct job *job)
{
    struct pollfd waits[] = {{.fd = job->ended, .events = POLLIN},
                             {.fd = job->server->signals, .events = POLLIN},
                             {.fd = job->lines, .events = POLLIN}};
    int status = 0;
    while (waits[0].revents == 0) {
        if (poll(waits, 3, -1) < 0)
            continue;
        if (waits[1].revents != 0)
            pass_signal(job);
        if (waits[2].revents != 0 && !read_lines(job) && (waits[2].revents & POLLHUP) != 0)
            waits[2].fd = -1; /* it said all that it will say */
    }
    while (read_lines(job)) {
    }
    while (waitpid(job->process, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* Why it ended without a result. */
static void explain(const struct job *job, int status, struct error *err)
{
    if (WIFSIGNALED(status))
        (void)error_set(err, ERROR_INTERNAL, "the job's process was ended by signal %d (%s)",
                        WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EX_TEMPFAIL || job->server->stopped)
        (void)error_set(err, ERROR_BUSY, "%s", "the job was stopped by a signal");
    else
        (void)error_set(err, ERROR_INTERNAL, "the job's process ended with %d and no result",
                        WEXITSTATUS(status));
}

static void answer(struct job *job, const struct error *err)
{
    const struct served_calls *calls = job->server->calls;
    CLEANUP_JSON json_t *line = json_object();
    json_put_text(line, "type", "result");
    json_put(line, "result", calls->failure(calls->processor, NULL, err));
    CLEANUP_FREE char *text = json_to_text(line, NULL);
    hand_on(job, text + 1);
}

int served_job_refuse(const struct server *server, const struct error *err)
{
    CLEANUP(job_done)
    struct job job = {.server = (struct server *)(uintptr_t)server, .ended = -1, .lines = -1};
    job.number = xstrdup("null");
    answer(&job, err);
    return job.failed ? -1 : 0;
}

int served_job_run(struct server *server, const char *line, size_t bytes)
{
    struct error err = {0};
    CLEANUP_JSON json_t *request = json_load_limited(line, bytes, &err);
    const json_t *number = json_object_get(request, "job");
    CLEANUP(job_done) struct job job = {.server = server, .ended = -1, .lines = -1};
    job.number = json_is_integer(number) ? json_to_text(number, NULL) : xstrdup("null");
    if (start(&job, line, bytes) < 0) {
        if (job.process > 0 && kill(job.process, SIGKILL) == 0)
            (void)waitpid(job.process, NULL, 0);
        (void)error_set_errno(&err, "%s", "the job's process cannot be started");
        err.code = ERROR_BUSY;
        answer(&job, &err);
        return job.failed ? -1 : 0;
    }
    int status = wait_for_end(&job);
    if (!job.answered) {
        explain(&job, status, &err);
        answer(&job, &err);
    }
    return job.failed ? -1 : 0;
}
