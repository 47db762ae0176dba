/* The journal's native protocol: one datagram of "NAME=value\n" lines; a value with a newline is
 * sent as "NAME\n" + u64 little-endian length + value + "\n". See systemd's
 * JOURNAL_NATIVE_PROTOCOL. */
#include "common/log.h"

#include "common/cleanup.h"
#include "common/words.h"

#include <endian.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MESSAGE_BYTES 2048
#define DATAGRAM_BYTES 8192

static const char journal_path[] = "/run/systemd/journal/socket";

/* The one piece of process-wide state outside main: where messages go. Set by log_init. */
static struct {
    const char *program;
    enum log_level level;
    int journal_fd;
    uint64_t dropped; /* lines that neither journald nor stderr took, not yet told */
} sink = {.program = "batchd", .level = LOG_LEVEL_INFO, .journal_fd = -1};

static const char *const level_words[LOG_LEVEL_COUNT] = {"error", "warning", "info", "debug"};
static const int syslog_priorities[LOG_LEVEL_COUNT] = {3, 4, 6, 7};

static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat stat_buffer;
    char mine[64];
    if (stream == NULL || fstat(STDERR_FILENO, &stat_buffer) < 0)
        return false;
    (void)snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)stat_buffer.st_dev,
                   (uintmax_t)stat_buffer.st_ino);
    return strcmp(stream, mine) == 0;
}

void log_init(const char *program, enum log_level level)
{
    sink.program = program;
    sink.level = level;
    if (sink.journal_fd < 0 && stderr_is_journal())
        sink.journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void log_set_level(enum log_level level)
{
    sink.level = level;
}

int log_level_parse(const char *word, enum log_level *ret)
{
    const int found = words_find(level_words, LOG_LEVEL_COUNT, word);
    if (found >= 0)
        *ret = (enum log_level)found;
    return found < 0 ? -1 : 0;
}

static size_t add_field(char *datagram, size_t used, const char *name, const char *value)
{
    size_t name_bytes = strlen(name);
    size_t value_bytes = strlen(value);
    if (DATAGRAM_BYTES - used < name_bytes + value_bytes + 16)
        return used;
    memcpy(datagram + used, name, name_bytes);
    used += name_bytes;
    if (strchr(value, '\n') == NULL) {
        datagram[used++] = '=';
    } else {
        uint64_t length = htole64(value_bytes);
        datagram[used++] = '\n';
        memcpy(datagram + used, &length, sizeof(length));
        used += sizeof(length);
    }
    memcpy(datagram + used, value, value_bytes);
    used += value_bytes;
    datagram[used++] = '\n';
    return used;
}

static bool send_journal(enum log_level level, const struct log_field *fields, const char *message)
{
    char datagram[DATAGRAM_BYTES];
    char priority[4];
    (void)snprintf(priority, sizeof(priority), "%d", syslog_priorities[level]);
    size_t used = add_field(datagram, 0, "MESSAGE", message);
    used = add_field(datagram, used, "PRIORITY", priority);
    used = add_field(datagram, used, "SYSLOG_IDENTIFIER", sink.program);
    for (; fields != NULL && fields->name != NULL; fields++)
        used = add_field(datagram, used, fields->name, fields->value);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, journal_path, sizeof(journal_path));
    ssize_t sent = sendto(sink.journal_fd, datagram, used, MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, sizeof(address));
    if (sent >= 0)
        return true;
    if (errno == EAGAIN || errno == ENOBUFS) {
        sink.dropped++;
        return true;
    }
    return false;
}

/* A reader that stalls (a pager, a full pipe) must not stop us. A line is shorter than PIPE_BUF, so
 * what poll lets pass does not block. */
static bool stderr_takes(void)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&fd, 1, 0) > 0 && (fd.revents & POLLOUT) != 0;
}

static void send_stderr(enum log_level level, const char *message)
{
    char line[MESSAGE_BYTES + 64];
    int used = snprintf(line, sizeof(line), "%s: %s: ", sink.program, level_words[level]);
    size_t at = (size_t)used;
    for (const char *c = message; *c != '\0' && at < sizeof(line) - 2; c++)
        line[at++] = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    line[at++] = '\n';
    if (!stderr_takes() || write(STDERR_FILENO, line, at) < 0)
        sink.dropped++;
}

static void send_message(enum log_level level, const struct log_field *fields, const char *message)
{
    if (sink.journal_fd < 0 || !send_journal(level, fields, message))
        send_stderr(level, message);
}

/* Says so in the log once there is room again. */
static void tell_dropped(void)
{
    char message[64];
    uint64_t before = sink.dropped;
    (void)snprintf(message, sizeof(message), "%llu lines before this one were dropped",
                   (unsigned long long)before);
    sink.dropped = 0;
    send_message(LOG_LEVEL_WARNING, NULL, message);
    if (sink.dropped > 0)
        sink.dropped += before;
}

__attribute__((format(printf, 3, 0))) static void
emit(enum log_level level, const struct log_field *fields, const char *format, va_list args)
{
    if (level > sink.level)
        return;
    int saved = errno;
    char message[MESSAGE_BYTES];
    (void)vsnprintf(message, sizeof(message), format, args);
    if (sink.dropped > 0)
        tell_dropped();
    send_message(level, fields, message);
    errno = saved;
}

#define DEFINE_LEVEL(name, level)        \
    void name(const char *format, ...)   \
    {                                    \
        va_list args;                    \
        va_start(args, format);          \
        emit(level, NULL, format, args); \
        va_end(args);                    \
    }

DEFINE_LEVEL(log_error, LOG_LEVEL_ERROR)
DEFINE_LEVEL(log_warning, LOG_LEVEL_WARNING)
DEFINE_LEVEL(log_info, LOG_LEVEL_INFO)
DEFINE_LEVEL(log_debug, LOG_LEVEL_DEBUG)

void log_fields(enum log_level level, const struct log_field *fields, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(level, fields, format, args);
    va_end(args);
}
