/* Reads a worker's log (common/worker_protocol.h) and says what is known about an attempt. Facts
 * only: a torn or damaged tail counts as not written. */
#ifndef BATCHD_DAEMON_EXEC_WORKER_LOG_H
#define BATCHD_DAEMON_EXEC_WORKER_LOG_H

#include "common/error.h"
#include "common/worker_protocol.h"

enum attempt_fact {
    ATTEMPT_NEVER_STARTED, /* no GO: it was as good as never given */
    ATTEMPT_STARTED,       /* GO without EXIT */
    ATTEMPT_ENDED,         /* EXIT, in *ret_exit */
};

struct worker_log;

/* The log of worker `id` below the state folder; a missing file is an empty log. NULL on error. */
struct worker_log *worker_log_load(const char *state_dir, uint64_t worker, struct error *err);
void worker_log_free(struct worker_log *log);

/* What it says of an attempt: the results are set as far as the answer goes. */
enum attempt_fact worker_log_attempt(const struct worker_log *log, const struct attempt_id *id,
                                     struct job_started *ret_started, struct job_exit *ret_exit);

/* True when the spawner has written that the worker is dead and its process tree too. */
bool worker_log_swept(const struct worker_log *log);

#endif
