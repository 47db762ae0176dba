#include "processors/lib/report.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/json.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>

#define REPORT_FD 3
#define PROGRESS_INTERVAL_US (100 * US_PER_MS)
/* An estimate from less than this is noise. */
#define ETA_FRACTION_MIN 0.01
#define ETA_ELAPSED_US_MIN (200 * US_PER_MS)
#define LOG_TEXT_BYTES 400
#define FRACTION_PARTS 10000

/* One process has one report: descriptor 3. Several threads may tell of their progress. */
static struct {
    pthread_mutex_t lock; /* of what follows the times */
    int fd;               /* -1: only the result is written, to stdout; 0 before report_init */
    int64_t started_us, last_us;
    double fraction;
    double resumed; /* of it: what an earlier run did */
} report = {.lock = PTHREAD_MUTEX_INITIALIZER};

int report_init(struct error *err)
{
    report.fd = REPORT_FD;
    /* What ends before the first line of progress is due needs none. */
    report.started_us = report.last_us = clock_monotonic_us();
    if (fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) == 0)
        return 0;
    report.fd = -1;
    int fd;
    do
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    while (fd >= 0 && fd < REPORT_FD);
    return fd < 0 ? error_set_errno(err, "/dev/null") : 0;
}

bool report_is_open(void)
{
    return report.fd > 0;
}

static int write_line(int fd, json_t *line)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = json_to_text(line, &bytes);
    text[bytes] = '\n'; /* in place of the NUL: one write, one line */
    return fd_write_all(fd, text, bytes + 1);
}

/* -1 while nothing can be said. */
static int64_t eta_ms(int64_t now)
{
    int64_t elapsed = now - report.started_us;
    double done = report.fraction - report.resumed; /* by this run */
    if (done < ETA_FRACTION_MIN || elapsed < ETA_ELAPSED_US_MIN)
        return -1;
    return (int64_t)((double)elapsed * (1 - report.fraction) / done) / US_PER_MS;
}

static void write_progress(int64_t now, int64_t frames)
{
    char line[160];
    /* By hand: jansson writes 0.42 as 0.41999999999999998. batchd looks for this start of a line.
     */
    int parts = (int)(report.fraction * FRACTION_PARTS);
    int64_t eta = eta_ms(now);
    int used =
        snprintf(line, sizeof(line), "{\"type\":\"progress\",\"fraction\":%d.%04d,\"frames\":%lld",
                 parts / FRACTION_PARTS, parts % FRACTION_PARTS, (long long)frames);
    if (eta >= 0)
        used +=
            snprintf(line + used, sizeof(line) - (size_t)used, ",\"eta_ms\":%lld", (long long)eta);
    used += snprintf(line + used, sizeof(line) - (size_t)used, "}\n");
    (void)fd_write_all(report.fd, line, (size_t)used);
}

void report_progress(double fraction, int64_t frames)
{
    int64_t now = clock_monotonic_us();
    (void)pthread_mutex_lock(&report.lock);
    if (fraction > report.fraction) /* false for NaN too */
        report.fraction = fraction > 1 ? 1 : fraction;
    if (report.fd >= 0 && now - report.last_us >= PROGRESS_INTERVAL_US) {
        report.last_us = now;
        write_progress(now, frames);
    }
    (void)pthread_mutex_unlock(&report.lock);
}

void report_resumed(double fraction)
{
    (void)pthread_mutex_lock(&report.lock);
    report.fraction = report.resumed = fraction;
    (void)pthread_mutex_unlock(&report.lock);
}

/* One line with one text. */
static void say(const char *type, const char *key, const char *text)
{
    if (report.fd < 0)
        return;
    CLEANUP_JSON json_t *line = json_object();
    json_put_text(line, "type", type);
    json_put_text(line, key, text);
    (void)write_line(report.fd, line);
}

void report_log(const char *format, ...)
{
    char text[LOG_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say("log", "text", text);
}

void report_checkpoint(const char *path)
{
    say("checkpoint", "path", path);
}

void report_preview(const char *path)
{
    say("preview", "path", path);
}

int report_result(json_t *result, struct error *err)
{
    CLEANUP_JSON json_t *line = json_object();
    json_put_text(line, "type", "result");
    json_put(line, "result", json_incref(result));
    if (write_line(report.fd < 0 ? STDOUT_FILENO : report.fd, line) < 0) {
        (void)error_set_errno(err, "the result could not be written to descriptor %d",
                              report.fd < 0 ? STDOUT_FILENO : report.fd);
        err->code = ERROR_IO;
        return -1;
    }
    return 0;
}

void report_error(json_t *result)
{
    struct error ignored;
    if (report.fd > 0)
        (void)report_result(result, &ignored);
}
