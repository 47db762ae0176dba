/* Which picture becomes which file, and in which format: decided and checked for all of them before
 * the first is read. */
#ifndef BATCHD_PROCESSORS_IMAGE_TARGETS_H
#define BATCHD_PROCESSORS_IMAGE_TARGETS_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct format;
struct options;
struct request;

struct target {
    char *input;                 /* owned; absolute */
    char *output;                /* owned; absolute */
    const struct format *format; /* static */
    int64_t bytes;               /* of the input; 0 when it cannot be told */
};

struct targets {
    struct target *target; /* owned */
    size_t count;
    char *folder; /* owned; of the outputs, absolute, when there are several; else NULL */
};

/* `inputs` as inputs.h gives them. One becomes `output` itself; several become files in the folder
 * `output`, with their names, and the suffix of the format where it is another. *ret must be
 * zeroed; release with targets_done in any case. ERROR_INVALID: a suffix that names no format, two
 * inputs that would become one file, an output that is one of the inputs. */
int targets_plan(const struct request *request, const struct options *options, const json_t *inputs,
                 bool several, struct targets *ret, struct error *err);
void targets_done(struct targets *targets);

#endif
