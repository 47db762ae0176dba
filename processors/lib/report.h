/* What a processor tells on descriptor 3: one JSON object a line, {"type":"progress",...},
 * {"type":"log",...}, {"type":"checkpoint",...}, {"type":"result",...}. Where descriptor 3 is not
 * open (a run by hand), stdout takes the result and the rest is left out.
 *
 * Progress and log lines are news: one that cannot be written is dropped. The result is not. */
#ifndef BATCHD_PROCESSORS_LIB_REPORT_H
#define BATCHD_PROCESSORS_LIB_REPORT_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Call once, before any descriptor is opened: what a library opens must never become number 3. */
int report_init(struct error *err);

/* Whether descriptor 3 was open. */
bool report_is_open(void);

/* At most one line in 100 ms; the fraction (0..1) never falls, whatever the caller computes. Any
 * thread may call it. */
void report_progress(double fraction, int64_t frames);
/* So much was done by an earlier run: what is left is estimated from this one alone. */
void report_resumed(double fraction);

/* A line of the job's log. */
void report_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Asks for a copy of this file or folder as the job's newest checkpoint (processors/README.md);
 * nothing is answered. The path is relative to the working folder or absolute, and UTF-8. NULL:
 * what was asked for is withdrawn, as it is to be removed. */
void report_checkpoint(const char *path);

/* There is a picture of what is being made, for people (preview.h). As report_checkpoint. */
void report_preview(const char *path);

/* 0, or -1 with ERROR_IO. Borrows `result`. */
int report_result(json_t *result, struct error *err);

/* The result of a job that failed: why. News like progress, and not written to stdout. Borrows. */
void report_error(json_t *result);

#endif
