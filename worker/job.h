/* The one job that a worker runs at a time: start, read its output, stop it, gather its end. Driven
 * by the worker's loop. A job ends when its main process has ended; what is left of its tree is
 * killed then, and the end is complete when nothing of the tree is left. */
#ifndef BATCHD_WORKER_JOB_H
#define BATCHD_WORKER_JOB_H

#include "common/worker_protocol.h"
#include "worker/journal.h"
#include "worker/output.h"
#include "worker/pipes.h"
#include "worker/start.h"

struct job;

/* What the loop is told. */
struct job_events {
    void (*lines)(void *arg, const struct attempt_id *id, const void *data, size_t bytes);
    void (*notes)(void *arg, const struct attempt_id *id, const struct job_notes *notes);
    void (*usage)(void *arg, const struct attempt_id *id, const struct job_usage *usage);
};

/* Of the job, and of what is made beside it. */
#define JOB_POLL_FDS (2 * PIPES_MAX)

struct job *job_new(const struct job_options *options, const struct job_events *events, void *arg);
void job_free(struct job *job);

/* Starts it: GO is written before its process may go on to the exec, for which nobody waits. 1: it
 * runs, and has taken what is in *run; whether it could be executed its end tells. 0: no job may
 * run as this user; *ret_exit is its end and is in the journal. -1 with err: it was never started
 * and no GO was written. */
int job_start(struct job *job, struct job_run *run, struct journal *journal,
              struct job_exit *ret_exit, struct error *err);
bool job_running(const struct job *job);
const struct attempt_id *job_id(const struct job *job);
struct job_started job_started_record(const struct job *job);

/* TERM to all of it now, and it goes on if it was suspended; KILL after the grace. A second call
 * may only shorten the grace. */
void job_stop(struct job *job, enum exit_cause cause, uint64_t grace_ms);
void job_signal(const struct job *job, int number, enum signal_whom whom);
/* It is told (SIGTSTP), and after JOB_HALT_MS halted, all of its tree; no-op when it is so already,
 * or is ending. Meanwhile its time stands. */
#define JOB_HALT_MS 2000
void job_suspend(struct job *job);
void job_resume(struct job *job);
bool job_suspended(const struct job *job); /* or about to be */
/* How often the loop is told of its usage (job_events), and of that of jobs after it; 0: never. */
void job_watch(struct job *job, int64_t interval_us);

/* For poll: fills up to JOB_POLL_FDS entries and returns how many; then the same entries back. */
nfds_t job_poll(const struct job *job, struct pollfd *fds);
void job_handle(struct job *job, const struct pollfd *fds, nfds_t count);

/* While none runs: what is kept for the next is looked after. *ret_wait_ms as of job_check. */
void job_rest(struct job *job, int *ret_wait_ms);

/* Looks at the processes and the clock. 1: the job is over and *ret_exit is complete (not yet in
 * the journal); 0: it goes on. *ret_wait_ms is lowered to when it wants to be called again (-1:
 * never). */
int job_check(struct job *job, int *ret_wait_ms, struct job_exit *ret_exit);

#endif
