/* The job as it came on stdin:
 *   {"params":{...},"cwd":"/abs","job":42,"attempt":1,"cpus":2}
 * job, attempt and cpus may be missing: then BATCHD_JOB_ID, BATCHD_ATTEMPT and BATCHD_CPUS of the
 * environment count, then 0, 1 and 1. To a server it comes with "env", whose variables of that name
 * are set, and the folder is entered. */
#ifndef BATCHD_PROCESSORS_LIB_REQUEST_H
#define BATCHD_PROCESSORS_LIB_REQUEST_H

#include "common/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* As batchd's own bound of one request (common/frame.h). */
#define REQUEST_BYTES_MAX (1U << 20)

struct request {
    json_t *manifest; /* owned; this processor's */
    json_t *params;   /* owned; checked against the manifest, defaults filled in */
    char *cwd;        /* owned; absolute */
    uint64_t job;
    unsigned attempt, cpus;
    uint64_t memory_bytes; /* its share (BATCHD_MEMORY_BYTES of the environment); 0: it has none */
    struct pattern *patterns; /* of pattern_read, which owns them (pattern.h) */
    size_t pattern_count;
};

/* Reads one line (or up to the end of input) and checks it against the manifest; NULL: it is read
 * (manifest.h). *ret must be zeroed; release with request_done in any case. 0, or -1 with
 * ERROR_INVALID. */
int request_read(int fd, json_t *manifest, struct request *ret, struct error *err);
void request_done(struct request *request);

/* A path of the job as an absolute one that the caller frees. */
char *request_absolute(const struct request *request, const char *path);

/* A parameter of type path as an absolute path that the caller frees; NULL when it is absent. */
char *request_path(const struct request *request, const char *name);

/* Parameters whose type and range the manifest has checked; the fallback is for absent ones. */
const char *request_string(const struct request *request, const char *name, const char *fallback);
int request_int(const struct request *request, const char *name, int fallback);
double request_number(const struct request *request, const char *name, double fallback);
int request_bool(const struct request *request, const char *name, int fallback);

#endif
