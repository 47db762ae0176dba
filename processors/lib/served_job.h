/* One job of a processor that serves: a process of its own, forked, which does the job as if it had
 * come alone (descriptor 0 holds its line, 3 is a pipe). Here its lines are read, checked, given
 * `"job":N` in front and handed on; what it says after its result is left out, and where it ends
 * without one, its result is made here. So a process that was taken over cannot speak for others.
 */
#ifndef BATCHD_PROCESSORS_LIB_SERVED_JOB_H
#define BATCHD_PROCESSORS_LIB_SERVED_JOB_H

#include "common/error.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct processor;

/* What a server asks of the frame of the processor (processor.h). */
struct served_calls {
    const struct processor *processor;
    /* Does the job on descriptor 0, reports on descriptor 3: the exit code. */
    int (*job)(const struct processor *processor);
    /* The result of a job that failed; `done` is NULL. */
    json_t *(*failure)(const struct processor *processor, json_t *done, const struct error *err);
};

struct server {
    const struct served_calls *calls;
    int output;     /* where the lines go */
    int signals;    /* signalfd of those that end the server, which are blocked */
    sigset_t stops; /* these */
    bool stopped;   /* one came; the running job was told */
};

/* Does the job of this line. 0, whether the job failed or not; -1 with errno: the answers cannot be
 * written. */
int served_job_run(struct server *server, const char *line, size_t bytes);

/* The answer to what is no job. */
int served_job_refuse(const struct server *server, const struct error *err);

#endif
