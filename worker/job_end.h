/* How an attempt ended: what becomes known of it, until its record (struct job_exit) is complete.
 */
#ifndef BATCHD_WORKER_JOB_END_H
#define BATCHD_WORKER_JOB_END_H

#include "common/worker_protocol.h"

#include <sys/resource.h>

/* Of its main process, from wait4. */
void job_end_status(struct job_exit *end, int status, const struct rusage *usage);
bool job_end_well(const struct job_exit *end);
/* It ended well, and its outputs are not as declared. The first reason counts. */
void job_end_bad_outputs(struct job_exit *end, const char *why);
/* It was never executed (spawn_errno): what the process ended with is not the job's. */
void job_end_not_executed(struct job_exit *end, const struct job_run *run);

struct job_end_facts {
    enum exit_cause stopped_for; /* why it was stopped; EXIT_CAUSE_NORMAL: it was not */
    bool out_of_memory;          /* the kernel killed some of it */
    bool disk_full;              /* the disk took not all of its output */
};
/* The cause, and the text of one that is known when it failed by itself. */
void job_end_settle(struct job_exit *end, const struct job_run *run,
                    const struct job_end_facts *facts);

#endif
