/* What a request asks to be other than it is of a job that there is already: for an edit, or a
 * retry.
 */
#ifndef BATCHD_DAEMON_API_JOB_CHANGES_H
#define BATCHD_DAEMON_API_JOB_CHANGES_H

#include "daemon/api/verb.h"

/* The members, as a list of texts; each verb adds its own. */
#define JOB_CHANGES_FIELDS                                                                \
    "queue", "priority", "cpus", "memory", "gpus", "gpu_memory", "disk", "resources",     \
        "timeout_ms", "estimate_ms", "max_attempts", "retry", "rerun_if_lost", "begin",   \
        "deadline", "depends", "timeout_signal", "timeout_signal_ms", "cpu_bind", "nice", \
        "io_priority", "pids", "name", "tags", "cwd", "stdin", "checkpoint_signal"

/* Which of them are given: bits of enum job_edit_part. */
unsigned job_changes_parts(const json_t *params);

/* Puts those that are given into *facts; the rest stays, begin_at and deadline_at too. 0, or -1 as
 * submit_spec_decode. */
int job_changes_take(const struct api_call *call, struct job_facts *facts, struct error *err);

#endif
