/* Several pictures, one after the other, so that one's memory is all that is needed. What is done
 * is noted in the job's journal (processors/lib/journal.h): an attempt after a crash takes what an
 * earlier one finished, if the source and what was made of it are still the same files. A picture
 * that cannot be made does not keep the others from it, and one that an attempt was ended in comes
 * after them. */
#ifndef BATCHD_PROCESSORS_IMAGE_BATCH_H
#define BATCHD_PROCESSORS_IMAGE_BATCH_H

#include "common/error.h"

#include <jansson.h>

struct options;
struct request;
struct targets;

struct batch {
    const struct request *request; /* all borrowed */
    const struct options *options;
    struct targets *targets; /* a journal's list takes the place of this one */
};

/* The pictures of targets, of which there are several. *ret_result, if it is set, is the caller's,
 * also with -1: what became of each (outcomes.h). ERROR_DAMAGED when some failed for good,
 * ERROR_BUSY and ERROR_IO when another attempt may help. */
int batch_run(const struct batch *batch, json_t **ret_result, struct error *err);

#endif
