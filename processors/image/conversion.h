/* One picture from its file to another, resized and enhanced. */
#ifndef BATCHD_PROCESSORS_IMAGE_CONVERSION_H
#define BATCHD_PROCESSORS_IMAGE_CONVERSION_H

#include "common/error.h"
#include "processors/image/progress.h"

#include <jansson.h>

struct options;
struct request;
struct target;

struct conversion {
    const struct request *request; /* all borrowed */
    const struct options *options;
    const struct target *target;
    struct progress progress;
};

/* Adds to `result` {inputs, outputs, media, metrics, frames_in, frames_out}. -1 with the reason,
 * and the target is what it was before; the caller calls staging_discard. */
int conversion_run(struct conversion *is, json_t *result, struct error *err);

#endif
