/* The names that files in an output folder may get: those of the job's inputs, with a suffix that
 * the manifest says the processor makes ("suffixes" of the parameter that is written). Read before
 * the sandbox is entered, for the publisher (publisher.h), which takes names from one who may have
 * been taken over by what it read. */
#ifndef BATCHD_PROCESSORS_LIB_OUTPUT_NAMES_H
#define BATCHD_PROCESSORS_LIB_OUTPUT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct request;

struct output_names {
    char **stems; /* owned, in order; each input's name, and that without its last suffix */
    size_t count;
    char **suffixes; /* owned, ends with NULL; NULL: a name is a stem */
};

/* *ret is released by output_names_done. */
void output_names_read(const struct request *request, struct output_names *ret);
void output_names_done(struct output_names *names);

/* Whether a file in the folder may be called so: "a.png" of the input "/in/a.jpg", "/in/a.png" or
 * "/in/a", if .png is one of the suffixes, in letters of either case. Hidden only if an input was.
 */
bool output_names_take(const struct output_names *names, const char *name);

#endif
