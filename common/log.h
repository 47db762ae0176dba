/* Structured logging: one line to stderr, or one datagram of journal fields to systemd-journald
 * when stderr is connected to it (JOURNAL_STREAM). The journal socket is used without blocking: a
 * stopped journald costs a counted drop, never a stalled loop (sd_journal_send blocks, so it is not
 * used).
 *
 * Text from users never forms a field name, and its control characters are escaped on stderr. */
#ifndef BATCHD_COMMON_LOG_H
#define BATCHD_COMMON_LOG_H

#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT
};

/* One more journal field. `name` is upper case (BATCHD_JOB_ID); arrays end with a NULL name. */
struct log_field {
    const char *name;
    const char *value;
};

/* `program` becomes SYSLOG_IDENTIFIER; it must live for ever. Call once, first thing in main. */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);
int log_level_parse(const char *word, enum log_level *ret); /* error warning info debug; 0 or -1 */

/* One line each, without an end of line. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As above, with fields beside the message. */
void log_fields(enum log_level level, const struct log_field *fields, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
