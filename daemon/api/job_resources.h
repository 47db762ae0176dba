/* What a job asks for, on the wire: read from a submit, refused when it can never be, and shown. */
#ifndef BATCHD_DAEMON_API_JOB_RESOURCES_H
#define BATCHD_DAEMON_API_JOB_RESOURCES_H

#include "daemon/api/verb.h"

/* The members cpus, memory, gpus, disk and resources of a request. What is not there stays as it is
 * in *facts; `resources` replaces all counters. 0, or -1 with ERROR_INVALID naming the field. */
int job_resources_decode(const json_t *params, const struct resource_names *names,
                         struct job_facts *facts, struct error *err);

/* Answers with NeverFits and is true when the job could not start on this machine were it empty: it
 * would wait for ever. Not for what it `had` before an edit; NULL: it is new. */
bool job_resources_refused(struct api_call *call, const struct job_facts *facts,
                           const struct resources *had);

/* The same without the answer: what NeverFits says, owned, and its text in err; NULL: it fits. */
json_t *job_resources_misfit(const struct api_call *call, const struct job_facts *facts,
                             const struct resources *had, struct error *err);

/* Adds the members resources, gpu_indices and lacking of a job, or of a task of an array. */
void job_resources_view(const struct api *api, const struct job_row *row, json_t *object);

#endif
