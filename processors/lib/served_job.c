#include "processors/lib/served_job.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/json.h"
#include "processors/lib/syscalls.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>

#define REPORT_FD 3
/* A result of ten thousand files has 3 MiB; a longer line is dropped. Who reads takes as much, of
 * which so much is for what is added here: number and usage. */
#define LINE_BYTES_MAX ((16U << 20) - ADDED_BYTES_MAX)
#define ADDED_BYTES_MAX 256U
#define READ_BYTES 65536U

void served_job_done(struct served_job *job)
{
    free(job->number);
    free(job->text);
    json_decref(job->answer);
    cleanup_close(&job->file);
    cleanup_close(&job->ended);
    cleanup_close(&job->lines);
    *job = (struct served_job){.file = -1, .ended = -1, .lines = -1};
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

void served_job_prepare(const char *line, size_t bytes, unsigned cpus, struct served_job *ret)
{
    CLEANUP_JSON json_t *request = json_load_limited(line, bytes, NULL);
    const json_t *number = json_object_get(request, "job");
    json_int_t wanted = json_integer_value(json_object_get(request, "cpus"));
    *ret = (struct served_job){.ended = -1, .lines = -1};
    CLEANUP_FREE char *fewer = NULL;
    if (wanted > cpus) { /* the job reads so, too */
        json_put_int(request, "cpus", cpus);
        fewer = json_to_text(request, &bytes);
    }
    ret->file = line_file(fewer == NULL ? line : fewer, bytes);
    ret->number = json_is_integer(number) ? json_to_text(number, NULL) : xstrdup("null");
    ret->cpus = wanted < 1 ? 1 : wanted > cpus ? cpus : (unsigned)wanted;
}

/* What belongs to the server and to other jobs is not there for this one. */
static void close_others(const struct server *server)
{
    (void)close(server->signals);
    for (unsigned i = 0; i < server->count; i++) {
        (void)close(server->running[i].ended);
        if (server->running[i].lines >= 0)
            (void)close(server->running[i].lines);
    }
}

static _Noreturn void be_job(const struct server *server, pid_t parent, int lines)
{
    /* A job does not outlive who waits for it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
        dup2(server->next.file, STDIN_FILENO) < 0 || dup2(lines, REPORT_FD) < 0 ||
        /* What it may say goes by the pipe alone; stdout is the server's. */
        (server->output == STDOUT_FILENO && dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
        _exit(EX_TEMPFAIL);
    (void)close(server->next.file);
    (void)close(lines);
    close_others(server);
    (void)sigprocmask(SIG_UNBLOCK, &server->stops, NULL);
    int code = server->calls->job(server->calls->processor, server->calls->prepared);
#if SANITIZED
    exit(code); /* looks for leaks */
#endif
    _exit(code); /* what 200 libraries do at their end takes as long as a small job */
}

static int start(struct server *server)
{
    struct served_job *job = &server->next;
    int ends[2] = {-1, -1};
    pid_t parent = getpid();
    if (job->file < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    CLEANUP_CLOSE int theirs = ends[1];
    job->lines = ends[0];
    job->process = fork();
    if (job->process == 0) {
        (void)close(ends[0]);
        be_job(server, parent, theirs);
    }
    if (job->process < 0 || fd_set_nonblock(job->lines, true) < 0)
        return -1;
    job->ended = (int)syscall(SYS_pidfd_open, job->process, 0);
    return job->ended < 0 ? -1 : 0;
}

/* ---- its lines ---- */

static void hand_on(struct server *server, const struct served_job *job, const char *rest)
{
    CLEANUP_FREE char *line = xasprintf("{\"job\":%s,%s\n", job->number, rest);
    if (fd_write_all(server->output, line, strlen(line)) < 0)
        server->failed = true;
}

static void take_line(struct server *server, struct served_job *job, const char *line, size_t bytes)
{
    CLEANUP_JSON json_t *value = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(value, "type"));
    if (job->answer != NULL || type == NULL || line[0] != '{' || bytes > LINE_BYTES_MAX ||
        json_object_get(value, "job") != NULL)
        return;
    if (strcmp(type, "result") == 0) {
        job->answer = TAKE_PTR(value);
        return;
    }
    CLEANUP_FREE char *rest = xasprintf("%.*s", (int)bytes - 1, line + 1);
    hand_on(server, job, rest);
}

static void take_lines(struct server *server, struct served_job *job)
{
    char *end;
    size_t at = 0;
    while ((end = memchr(job->text + at, '\n', job->used - at)) != NULL) {
        take_line(server, job, job->text + at, (size_t)(end - job->text) - at);
        at = (size_t)(end - job->text) + 1;
    }
    memmove(job->text, job->text + at, job->used - at);
    job->used -= at;
    if (job->used > LINE_BYTES_MAX)
        job->used = 0;
}

/* Whether there was something. */
static bool read_some(struct server *server, struct served_job *job)
{
    if (job->lines < 0)
        return false;
    job->text = xreallocarray(job->text, job->used + READ_BYTES, 1);
    ssize_t got = read(job->lines, job->text + job->used, READ_BYTES);
    if (got > 0) {
        job->used += (size_t)got;
        take_lines(server, job);
    } else if (got == 0) {
        cleanup_close(&job->lines);
        job->lines = -1;
    }
    return got > 0;
}

void served_job_read(struct server *server, struct served_job *job)
{
    (void)read_some(server, job);
}

/* ---- its end ---- */

/* `signal`: the process was killed by it; 0: it was not. */
static json_t *failure(const struct server *server, const struct error *err, int signal)
{
    const struct served_calls *calls = server->calls;
    json_t *line = json_object();
    json_put_text(line, "type", "result");
    json_t *result = calls->failure(calls->processor, NULL, err);
    json_put(line, "result", result);
    if (signal != 0)
        json_put_int(json_object_get(result, "error"), "signal", signal);
    return line;
}

static void hand_on_result(struct server *server, const struct served_job *job, const json_t *line)
{
    CLEANUP_FREE char *text = json_to_text(line, NULL);
    hand_on(server, job, text + 1); /* without the brace in front */
}

static void refuse(struct server *server, const struct served_job *job, const struct error *err)
{
    CLEANUP_JSON json_t *line = failure(server, err, 0);
    hand_on_result(server, job, line);
}

static int64_t micros(struct timeval time)
{
    return time.tv_sec * US_PER_SECOND + time.tv_usec;
}

/* Its result, and what it used, in one line, whatever else it said there. */
static void answer(struct server *server, const struct served_job *job, const struct rusage *used)
{
    json_t *usage = json_object();
    json_put_int(usage, "user_us", micros(used->ru_utime));
    json_put_int(usage, "system_us", micros(used->ru_stime));
    json_put_int(usage, "max_rss_bytes", (int64_t)used->ru_maxrss * 1024);
    json_put(job->answer, "usage", usage);
    hand_on_result(server, job, job->answer);
}

void served_job_refuse(struct server *server, const struct error *err)
{
    char number[] = "null";
    const struct served_job none = {.number = number};
    refuse(server, &none, err);
}

/* Why it ended without a result. */
static void explain(const struct server *server, int status, struct error *err)
{
    if (WIFSIGNALED(status))
        (void)error_set(err, ERROR_INTERNAL, "the job's process was ended by signal %d (%s)",
                        WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EX_TEMPFAIL || server->stopped)
        (void)error_set(err, ERROR_BUSY, "%s", "the job was stopped by a signal");
    else
        (void)error_set(err, ERROR_INTERNAL, "the job's process ended with %d and no result",
                        WEXITSTATUS(status));
}

static int reap(pid_t process, struct rusage *ret_used)
{
    int status = 0;
    while (wait4(process, &status, 0, ret_used) < 0 && errno == EINTR) {
    }
    return status;
}

void served_job_end(struct server *server, unsigned index)
{
    struct served_job *job = &server->running[index];
    struct error err = {0};
    while (read_some(server, job)) {
    }
    struct rusage used = {.ru_maxrss = 0};
    int status = reap(job->process, &used);
    if (job->answer == NULL) {
        explain(server, status, &err);
        job->answer = failure(server, &err, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    answer(server, job, &used);
    served_job_done(job);
    server->running[index] = server->running[--server->count];
}

void served_job_begin(struct server *server)
{
    struct served_job *job = &server->next;
    struct error err = {0};
    server->begun++;
    if (start(server) == 0) {
        cleanup_close(&job->file);
        job->file = -1;
        server->running[server->count++] = *job;
        *job = (struct served_job){.file = -1, .ended = -1, .lines = -1};
        return;
    }
    (void)error_set_errno(&err, "%s", "the job's process cannot be started");
    err.code = ERROR_BUSY;
    if (job->process > 0 && kill(job->process, SIGKILL) == 0)
        (void)waitpid(job->process, NULL, 0);
    refuse(server, job, &err);
    served_job_done(job);
}

void served_jobs_stop(struct server *server)
{
    struct signalfd_siginfo info;
    while (read(server->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
    }
    server->stopped = true;
    for (unsigned i = 0; i < server->count; i++)
        (void)kill(server->running[i].process, SIGTERM);
}
