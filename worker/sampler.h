/* Looks at what the running job uses: soon after its start, then less and less often, as batchd
 * wants to be told; and where the kernel keeps no peak of memory, also when nobody does.
 *
 * What a server (worker/server.h) used before the job is not the job's. To look at that at the
 * start of each would cost those of a millisecond more than all else here, so it is done when one
 * lasts: what it used in its first 20 ms is left out while it runs. */
#ifndef BATCHD_WORKER_SAMPLER_H
#define BATCHD_WORKER_SAMPLER_H

#include "common/job_usage.h"
#include "common/worker_protocol.h"
#include "worker/job_group.h"

#include <stdbool.h>
#include <sys/resource.h>

struct sampler {
    int64_t told_us; /* batchd wants to be told so often; 0: never. Stays from job to job */
    int64_t next_at; /* on clock_running_us; INT64_MAX: no look is wanted */
    int64_t pause_us, looked_at;
    uint64_t looked_cpu_us;
    uint64_t before_us;  /* of processors, that was used before the job */
    bool begins;         /* that is not known yet */
    uint64_t peak_bytes; /* that was seen */
    bool peak_grouped;   /* of control groups, else of processes */
    uint64_t orphan_user_us, orphan_system_us,
        orphan_rss_bytes; /* of what nobody else waited for */
};

void sampler_begin(struct sampler *sampler, int64_t now);
/* Of a job that a server does: when it `begins` and it is time to, what the server used till then
 * is to be told. */
void sampler_begin_served(struct sampler *sampler, int64_t now);
void sampler_note_before(struct sampler *sampler, uint64_t cpu_us, int64_t now);
void sampler_tell_every(struct sampler *sampler, int64_t interval_us, int64_t now);
/* The usage of a process of the job that ended as our child, other than its first. */
void sampler_add_orphan(struct sampler *sampler, const struct rusage *usage);
/* Looks if it is time to. True when batchd is to be told *ret. `server`: the group of the server
 * that does the job; NULL: none does. */
bool sampler_take(struct sampler *sampler, const struct job_group *group,
                  const struct job_group *server, int64_t now, struct job_usage *ret);
/* Completes what wait4 said of its first process, where no control group counts. */
void sampler_settle(const struct sampler *sampler, struct job_exit *end);

#endif
