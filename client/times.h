/* Points in time for people: local, and how far away. The callers free. */
#ifndef BATCHD_CLIENT_TIMES_H
#define BATCHD_CLIENT_TIMES_H

#include <stdint.h>

char *times_clock(int64_t at);     /* "14:05:09", "2026-01-31 14:05:09" on another day */
char *times_span(int64_t span_us); /* "3m12s", of the past "-3m12s" */
char *times_text(int64_t at);      /* "14:05:09 (in 3m12s)", "14:05:09 (3m12s ago)" */

#endif
