/* The frame of a processor written in C: options, the request on stdin, signals, exit codes. A
 * processor's main() is one call of processor_main; its work is one function that takes a request
 * and makes a result object (processors/README.md has the contract with batchd).
 *
 * Exit codes (sysexits): 0 done, 64 bad parameters, 65 bad input data, 66 no input, 70 a bug,
 * 73 cannot create the output, 74 input/output error, 75 temporary: try again (SIGTERM too). */
#ifndef BATCHD_PROCESSORS_LIB_PROCESSOR_H
#define BATCHD_PROCESSORS_LIB_PROCESSOR_H

#include "common/error.h"
#include "processors/lib/sandbox.h"

#include <jansson.h>
#include <stdbool.h>

struct request;

struct processor {
    const char *name;
    const char *version;
    /* Does the job. 0 and *ret_result (owned by the caller): the members that only this processor
     * knows; schema, processor, version, versions, settings, sandbox, elapsed_us and partial
     * (false) are added. -1 with err; the code of err becomes the exit code by processor_exit_code.
     * A job of several files of which some failed gives both, as does one whose input is damaged:
     * the result tells of each, or how much there is, with a `partial` of its own, and `error` is
     * added. */
    int (*run)(const struct request *request, json_t **ret_result, struct error *err);
    /* Whether the job uses the GPU, whose devices are then open to it. NULL: none does. */
    bool (*uses_gpu)(const struct request *request);
    /* Called once before jobs are forked, to make what all of them would make anew. May be NULL. */
    void (*prepare)(void);
    /* Adds the versions of what it is built on, by name, for the result. May be NULL. */
    void (*add_versions)(json_t *versions);
};

/* What does not depend on the job, made once where many processes are forked. */
struct processor_prepared {
    struct sandbox sandbox;
    json_t *manifest; /* owned; NULL: a job reads it itself, and says what is wrong with it */
};

int processor_main(int argc, char **argv, const struct processor *processor);

/* Does the job on stdin, in the sandbox, and reports its result: the exit code. Once in a process
 * (serve.h forks one for each job). */
int processor_job(const struct processor *processor, const struct processor_prepared *prepared);

/* ERROR_INVALID 64, ERROR_DAMAGED and ERROR_LIMIT 65, ERROR_NOT_FOUND and ERROR_DENIED 66,
 * ERROR_CONFLICT 73 (the output cannot be created), ERROR_IO 74, ERROR_BUSY 75, else 70. */
int processor_exit_code(const struct error *err);

/* {message, field, exit_code}, as a result's `error` has it; a new reference. */
json_t *processor_error(const struct error *err);

/* The result of a job that failed, `done` (may be NULL) with its error; a new reference. */
json_t *processor_failure(const struct processor *processor, json_t *done, const struct error *err);

#endif
