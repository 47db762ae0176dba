/* Strict parsers for what people write: a whole text or nothing. Errors are ERROR_INVALID and name
 * the value and the rule. */
#ifndef BATCHD_COMMON_PARSE_H
#define BATCHD_COMMON_PARSE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);
/* Time spans: 90, 90s, 1h30m, 2d, 500ms, 1.5h. A bare number is seconds. Result in milliseconds. */
int parse_span_ms(const char *text, uint64_t *ret, struct error *err);
/* Sizes: 512, 64k, 512M, 1.5G, 2T; powers of 1024; a trailing B or iB is allowed. */
int parse_size(const char *text, uint64_t *ret, struct error *err);
/* TERM, SIGTERM or 15. */
int parse_signal(const char *text, int *ret, struct error *err);
/* Points in time, in the local zone unless said: now, now+2h, now-2h, today, tomorrow 09:00,
 * yesterday, 16:00, 2026-01-31 10:00[:30], ISO 8601 with T and Z or +02:00. A bare clock time that
 * has passed is tomorrow's when `future`, else today's. Microseconds since the epoch. */
int parse_time(const char *text, int64_t now, int future, int64_t *ret, struct error *err);

/* "1h30m", "250ms", "3.2s"; at most 24 bytes with the NUL. */
void format_span(uint64_t ms, char *ret, size_t bytes);
void format_signal(int number, char *ret, size_t bytes);  /* "USR1", "40" */
void format_size(uint64_t size, char *ret, size_t bytes); /* "1.5G", "512" */

#endif
