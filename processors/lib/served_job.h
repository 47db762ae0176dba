/* The jobs of a processor that serves: each a process of its own, forked, which does its job as if
 * it had come alone (descriptor 0 holds its line, 3 is a pipe; what its line has as "env" is in its
 * environment). Here its lines are read, checked, given `"job":N` in front and handed on; what it
 * says after its result is left out, and where it ends without one, its result is made here; either
 * is told when its process is no more. So a process that was taken over cannot speak for others. */
#ifndef BATCHD_PROCESSORS_LIB_SERVED_JOB_H
#define BATCHD_PROCESSORS_LIB_SERVED_JOB_H

#include "common/error.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct processor;
struct processor_prepared;

/* What a server asks of the frame of the processor (processor.h). */
struct served_calls {
    const struct processor *processor;
    const struct processor_prepared *prepared;
    /* Does the job on descriptor 0, reports on descriptor 3: the exit code. */
    int (*job)(const struct processor *processor, const struct processor_prepared *prepared);
    /* The result of a job that failed; `done` is NULL. */
    json_t *(*failure)(const struct processor *processor, json_t *done, const struct error *err);
};

#define SERVED_AT_ONCE_MAX 64U

struct served_job {
    char *number;  /* owned; as it stands in JSON: "42", or "null" where the line has none; NULL:
                    * there is no job here */
    unsigned cpus; /* that it uses */
    int file;      /* its line, until it begins; -1 */
    pid_t process;
    int ended;  /* pidfd; -1 */
    int lines;  /* the pipe that it writes to, not blocking; -1: it said all */
    char *text; /* owned; of the line that is coming, `used` bytes */
    size_t used;
    json_t *answer; /* owned; the line with its result; NULL: not said yet */
};

struct server {
    const struct served_calls *calls;
    int output;             /* where the lines go */
    int signals;            /* signalfd of those that end the server, which are blocked */
    sigset_t stops;         /* these */
    unsigned cpus;          /* for all that run at once */
    unsigned begun;         /* jobs so far */
    bool worn;              /* no more begin: it did its share */
    bool stopped;           /* no more begin; those that run were told to end */
    bool failed;            /* nobody takes the answers */
    struct served_job next; /* waits for its turn */
    struct served_job running[SERVED_AT_ONCE_MAX];
    unsigned count; /* of these */
};

/* Makes a job of a line, whatever stands in it; it uses at most `cpus`. */
void served_job_prepare(const char *line, size_t bytes, unsigned cpus, struct served_job *ret);
void served_job_done(struct served_job *job);

/* Begins the next one; it is answered at once where there is no process for it. */
void served_job_begin(struct server *server);

/* Takes what a running one says. */
void served_job_read(struct server *server, struct served_job *job);

/* running[index] ended: answers for it where it did not, and takes it from the list. */
void served_job_end(struct server *server, unsigned index);

/* A signal came, or nobody listens: tells all that run. */
void served_jobs_stop(struct server *server);

/* The answer to what is no job. */
void served_job_refuse(struct server *server, const struct error *err);

#endif
