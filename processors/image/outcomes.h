/* What became of each picture of several, and the job's result made of that. */
#ifndef BATCHD_PROCESSORS_IMAGE_OUTCOMES_H
#define BATCHD_PROCESSORS_IMAGE_OUTCOMES_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>

struct target;

struct outcomes {
    json_t *list; /* owned; of each picture {file, input, output}, the latter two when it is done;
                   * null before anything became of it */
    unsigned done, failed, reused;
    unsigned unwritten;   /* the last so many failed for their output */
    enum error_code code; /* of the failures together */
    struct error first;   /* failure */
};

/* Of `total` pictures. */
void outcomes_init(struct outcomes *outcomes, size_t total);
void outcomes_release(struct outcomes *outcomes);

/* A picture that is done, as the journal keeps it: {file: {input, output, ok, format, width,
 * height, psnr}, input: {path, bytes, sha256}, output: {...}}; `one` is the result of its
 * conversion. A new reference. */
json_t *outcome_facts(const json_t *one);

void outcomes_add_done(struct outcomes *outcomes, size_t picture, const json_t *facts, bool reused);
void outcomes_add_failed(struct outcomes *outcomes, size_t picture, const struct target *target,
                         const struct error *err);

/* {files, inputs, outputs, counts, checkpoints, frames_in, frames_out, partial} of `total`
 * pictures; a new reference. When the lists would be too long for a result, `files_left_out` counts
 * those of which nothing is said; what failed comes first. */
json_t *outcomes_result(const struct outcomes *outcomes);

/* 0 when all are done, else -1 with the counts and the first reason. */
int outcomes_error(const struct outcomes *outcomes, struct error *err);

#endif
