#include "processors/lib/serve.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "processors/lib/job_input.h"
#include "processors/lib/report.h"
#include "processors/lib/served_job.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>

/* What a job leaves ends with its process, so a server does not wear out. Yet it forks from what
 * grew, and after an update of a library it still has the old one: so it ends now and then. */
#define JOBS_MAX 1000U
#define RESIDENT_BYTES_MAX (512ULL << 20)
#define JOBS_PER_LOOK 16U /* at its size: it grows by what it is told, little by little */
#define REPORT_FD 3
/* Of poll: the signals, stdin, and two for each job. */
#define POLLS_MAX (2 + 2 * SERVED_AT_ONCE_MAX)

static bool is_worn(const struct server *server)
{
    size_t bytes = 0;
    if (server->begun >= JOBS_MAX)
        return true;
    if (server->begun % JOBS_PER_LOOK != 0)
        return false;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, "/proc/self/statm", 256, &bytes);
    const char *second = text == NULL ? NULL : strchr(text, ' '); /* the first: address space */
    uint64_t pages = second == NULL ? 0 : strtoull(second, NULL, 10);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE) >= RESIDENT_BYTES_MAX;
}

/* Whether a job is in hand that may begin when there are cpus for it. */
static bool has_next(struct server *server, struct job_input *input)
{
    const char *line;
    size_t bytes;
    if (server->next.number != NULL)
        return true;
    if (server->worn || !job_input_take(input, &line, &bytes))
        return false;
    served_job_prepare(line, bytes, server->cpus, &server->next);
    return true;
}

static bool has_room(const struct server *server)
{
    unsigned used = 0;
    for (unsigned i = 0; i < server->count; i++)
        used += server->running[i].cpus;
    return server->count == 0 ||
           (server->count < SERVED_AT_ONCE_MAX && used + server->next.cpus <= server->cpus);
}

static void begin_next(struct server *server)
{
    served_job_begin(server);
    server->worn = server->worn || is_worn(server);
}

/* One look at all that may have happened, after waiting for the first of it. */
static int wait_for_news(struct server *server, struct job_input *input)
{
    struct pollfd waits[POLLS_MAX] = {{.fd = server->signals, .events = POLLIN},
                                      {.fd = STDIN_FILENO, .events = POLLIN}};
    unsigned count = server->count;
    if (server->stopped || server->next.number != NULL || !job_input_may_come(input) ||
        server->worn)
        waits[1].fd = -1;
    for (unsigned i = 0; i < count; i++) {
        waits[2 + 2 * i] = (struct pollfd){.fd = server->running[i].lines, .events = POLLIN};
        waits[3 + 2 * i] = (struct pollfd){.fd = server->running[i].ended, .events = POLLIN};
    }
    if (poll(waits, 2 + 2 * count, -1) < 0)
        return errno == EINTR ? 0 : -1;
    if (waits[0].revents != 0)
        served_jobs_stop(server);
    if (waits[1].revents != 0)
        job_input_read(input, STDIN_FILENO);
    for (unsigned i = count; i-- > 0;) { /* backwards: one that ended leaves the list */
        if (waits[2 + 2 * i].revents != 0)
            served_job_read(server, &server->running[i]);
        if (waits[3 + 2 * i].revents != 0)
            served_job_end(server, i);
    }
    return 0;
}

static int end_code(struct server *server, const struct job_input *input)
{
    struct error err = {0};
    if (server->failed || input->state == JOB_INPUT_FAILED)
        return EX_IOERR;
    if (server->stopped)
        return EX_TEMPFAIL;
    if (input->state == JOB_INPUT_END && input->used == input->taken)
        return EX_OK;
    if (input->state != JOB_INPUT_LONG)
        return SERVE_EXIT_RECYCLE;
    (void)error_set(&err, ERROR_INVALID, "the job on stdin is longer than %u bytes",
                    JOB_INPUT_BYTES_MAX);
    served_job_refuse(server, &err);
    return server->failed ? EX_IOERR : EX_USAGE;
}

static int serve_jobs(struct server *server, struct job_input *input)
{
    for (;;) {
        while (!server->stopped && has_next(server, input) && has_room(server))
            begin_next(server);
        if (server->failed)
            served_jobs_stop(server);
        if (server->count == 0 && (server->stopped || server->worn || !job_input_may_come(input)))
            return end_code(server, input);
        if (wait_for_news(server, input) < 0)
            return EX_SOFTWARE;
    }
}

/* As many as batchd gave; by hand as many as this process may use. */
static unsigned own_cpus(void)
{
    const char *text = getenv("BATCHD_CPUS"); /* NOLINT(concurrency-mt-unsafe): no thread */
    uint64_t given = 0;
    cpu_set_t set;
    if (text != NULL && parse_u64(text, 1, INT_MAX, &given, NULL) == 0)
        return given > SERVED_AT_ONCE_MAX ? SERVED_AT_ONCE_MAX : (unsigned)given;
    if (text != NULL || sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return CPU_COUNT(&set) > (int)SERVED_AT_ONCE_MAX ? SERVED_AT_ONCE_MAX
                                                     : (unsigned)CPU_COUNT(&set);
}

/* The signals that end the server come by a descriptor: none is lost between two waits. */
static int begin(struct server *server)
{
    struct error ignored;
    if (report_init(&ignored) < 0) /* what is opened from here on is not descriptor 3 */
        return -1;
    server->output = report_is_open() ? REPORT_FD : STDOUT_FILENO;
    server->cpus = own_cpus();
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
    CLEANUP_FREE struct server *server = xcalloc(1, sizeof(*server));
    CLEANUP(job_input_done) struct job_input input = {0};
    server->calls = calls;
    server->signals = -1;
    server->next = (struct served_job){.file = -1, .ended = -1, .lines = -1};
    int code = begin(server) < 0 ? EX_SOFTWARE : serve_jobs(server, &input);
    served_job_done(&server->next);
    if (server->signals >= 0)
        (void)close(server->signals);
    return code;
}
