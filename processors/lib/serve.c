#include "processors/lib/serve.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/served_job.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>

/* What a job leaves ends with its process, so a server does not wear out. Yet it forks from what
 * grew, and after an update of a library it still has the old one: so it ends now and then. */
#define JOBS_MAX 1000U
#define RESIDENT_BYTES_MAX (512ULL << 20)
#define REPORT_FD 3

struct input {
    char *data; /* owned; REQUEST_BYTES_MAX + 1 bytes */
    size_t used;
    size_t taken; /* of these, by the line before */
};

enum taken { TAKEN_LINE, TAKEN_END, TAKEN_STOP, TAKEN_LONG, TAKEN_FAILED };

/* More of stdin. TAKEN_LINE: there is more. */
static enum taken read_more(struct input *input, int signals)
{
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = signals, .events = POLLIN}};
    if (poll(waits, 2, -1) < 0)
        return errno == EINTR ? TAKEN_LINE : TAKEN_FAILED;
    if (waits[1].revents != 0)
        return TAKEN_STOP;
    ssize_t got =
        read(STDIN_FILENO, input->data + input->used, REQUEST_BYTES_MAX + 1 - input->used);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? TAKEN_LINE : TAKEN_FAILED;
    input->used += (size_t)got;
    return got == 0 ? TAKEN_END : TAKEN_LINE;
}

/* The next line, or what stands before the end of stdin; borrowed until the next call. */
static enum taken next_line(struct input *input, int signals, const char **ret, size_t *ret_bytes)
{
    enum taken taken = TAKEN_LINE;
    memmove(input->data, input->data + input->taken, input->used - input->taken);
    input->used -= input->taken;
    input->taken = 0;
    const char *end;
    while ((end = memchr(input->data, '\n', input->used)) == NULL && taken == TAKEN_LINE)
        taken = input->used > REQUEST_BYTES_MAX ? TAKEN_LONG : read_more(input, signals);
    if (end == NULL && (taken != TAKEN_END || input->used == 0))
        return taken;
    *ret = input->data;
    *ret_bytes = end == NULL ? input->used : (size_t)(end - input->data);
    input->taken = end == NULL ? input->used : *ret_bytes + 1;
    return TAKEN_LINE;
}

static uint64_t resident_bytes(void)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, "/proc/self/statm", 256, &bytes);
    const char *second = text == NULL ? NULL : strchr(text, ' '); /* the first: address space */
    uint64_t pages = second == NULL ? 0 : strtoull(second, NULL, 10);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int end_code(struct server *server, enum taken taken)
{
    struct error err = {0};
    if (taken == TAKEN_END)
        return EX_OK;
    if (taken == TAKEN_STOP)
        return EX_TEMPFAIL;
    if (taken == TAKEN_FAILED)
        return EX_IOERR;
    (void)error_set(&err, ERROR_INVALID, "the job on stdin is longer than %u bytes",
                    REQUEST_BYTES_MAX);
    return served_job_refuse(server, &err) < 0 ? EX_IOERR : EX_USAGE;
}

static int serve_jobs(struct server *server, struct input *input)
{
    const char *line;
    size_t bytes;
    for (unsigned jobs = 0; jobs < JOBS_MAX && resident_bytes() < RESIDENT_BYTES_MAX; jobs++) {
        enum taken taken = next_line(input, server->signals, &line, &bytes);
        if (taken != TAKEN_LINE)
            return end_code(server, taken);
        if (served_job_run(server, line, bytes) < 0)
            return EX_IOERR;
        if (server->stopped)
            return EX_TEMPFAIL;
    }
    return SERVE_EXIT_RECYCLE;
}

/* The signals that end the server come by a descriptor: none is lost between two waits. */
static int begin(struct server *server)
{
    struct error ignored;
    if (report_init(&ignored) < 0) /* what is opened from here on is not descriptor 3 */
        return -1;
    server->output = report_is_open() ? REPORT_FD : STDOUT_FILENO;
    (void)sigemptyset(&server->stops);
    (void)sigaddset(&server->stops, SIGTERM);
    (void)sigaddset(&server->stops, SIGINT);
    (void)sigaddset(&server->stops, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &server->stops, NULL) < 0)
        return -1;
    server->signals = signalfd(-1, &server->stops, SFD_CLOEXEC | SFD_NONBLOCK);
    return server->signals < 0 ? -1 : 0;
}

int serve(const struct served_calls *calls)
{
    struct server server = {.calls = calls, .signals = -1};
    CLEANUP_FREE char *data = xmalloc(REQUEST_BYTES_MAX + 1);
    struct input input = {.data = data};
    int code = begin(&server) < 0 ? EX_SOFTWARE : serve_jobs(&server, &input);
    if (server.signals >= 0)
        (void)close(server.signals);
    return code;
}
