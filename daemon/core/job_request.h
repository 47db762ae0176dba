/* From what a job's row says to the vector that the scheduler counts with. */
#ifndef BATCHD_DAEMON_CORE_JOB_REQUEST_H
#define BATCHD_DAEMON_CORE_JOB_REQUEST_H

#include "daemon/core/job.h"
#include "daemon/core/resource_names.h"

/* What the job asks for: looks at its cpus, memory_bytes, gpus, disk_bytes and counters, which this
 * machine calls so. Memory and disk are counted in whole MiB: what differs by less is the same
 * request, so that there are not as many requests as jobs (request_table.h). */
struct resources job_facts_wanted(const struct job_facts *facts,
                                  const struct resource_names *names);
uint64_t job_whole_mib(uint64_t bytes); /* rounded up; so is what a machine has */
#define JOB_MIB (UINT64_C(1) << 20)

/* What the job, or the task of the array, of this status asks for. */
uint64_t job_memory_asked(const struct job_facts *facts, const struct job_status *status);

/* Why a job could not start on a machine that were empty. */
struct job_misfit {
    char name[RESOURCE_NAME_MAX + 1]; /* of the resource */
    uint64_t requested, largest;
    char text[200];
};
/* True and *ret when it asks for more than the `total` of a machine; of what it asks for no more
 * than it `had` before (NULL: it is new), nothing is said: the machine was made smaller. */
bool job_never_fits(const struct job_facts *facts, const struct resource_names *names,
                    const struct resources *total, const struct resources *had,
                    struct job_misfit *ret);

/* What a job is to ask for after an attempt that had too little memory: half as much again as it
 * asked for (of one that asked for nothing, as it used), in whole MiB, at most `cap`. 0: that is no
 * more than before. */
uint64_t job_memory_grown(uint64_t asked_bytes, uint64_t used_bytes, uint64_t cap_bytes);

#endif
