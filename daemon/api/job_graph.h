/* The jobs of a SubmitMany: their names, what each waits for, and the order in which they get their
 * ids. In: the member `jobs` of the request. Out: the jobs in that order. Pure. */
#ifndef BATCHD_DAEMON_API_JOB_GRAPH_H
#define BATCHD_DAEMON_API_JOB_GRAPH_H

#include "common/json.h"
#include "daemon/core/dependency_spec.h"

/* A turn takes them together: some 0.1 ms each. */
#define JOB_GRAPH_JOBS_MAX 256U
/* Of all of them; each is compared with every name, and looked up. */
#define JOB_GRAPH_DEPENDS_MAX 4096U

struct graph_job {
    const char *name;               /* borrowed from the request, as the next */
    json_t *members;                /* what the request says of it */
    struct dependency_spec depends; /* owned; jobs of the graph are DEPENDENCY_SIBLING + place */
};

struct job_graph {
    struct graph_job *jobs; /* owned; none stands before one that it waits for, else as given */
    size_t count;
    json_t *path; /* owned; of a graph with a cycle: names, each of which waits for the next */
};

/* 0 and *ret (job_graph_done in any case), or -1: ERROR_INVALID with the field, as
 * "jobs.encode.depends", or ERROR_CONFLICT and ret->path. */
int job_graph_read(const json_t *params, struct job_graph *ret, struct error *err);
void job_graph_done(struct job_graph *graph);

/* Says which job an error is of: "jobs.NAME." before its field, "job NAME: " before its text. */
void job_graph_blame(const char *name, struct error *err);

/* The names in the order of the ids, with blanks between them; the caller frees. */
char *job_graph_names(const struct job_graph *graph);

#endif
