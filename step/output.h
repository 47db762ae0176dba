/* One declared output after an attempt. It is looked for where the job was told to write it; a job
 * that wrote to the final path by itself has it in its place already. Its folder is opened once, so
 * that what was checked is what is renamed, whatever happens to the path meanwhile. */
#ifndef BATCHD_STEP_OUTPUT_H
#define BATCHD_STEP_OUTPUT_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
    const char *path; /* as declared; borrowed */
    char *staged;     /* owned */
    int folder;       /* of both; -1 before output_find */
    bool in_place;    /* the job wrote to `path` itself */
};

void output_done(struct output *output);

/* Finds it. ERROR_NOT_FOUND: it was not written since `started_at` (of clock_file_us).
 * ERROR_CONFLICT: it or what is in its place is of a kind that is not taken. */
int output_find(struct output *output, int64_t started_at, struct error *err);
/* Applies one check: "exists", "nonempty" or a text for the shell, which finds the path in $1. */
int output_check(const struct output *output, const char *check, struct error *err);
/* Everything of it is on disk afterwards. It must still be what it was before the checks. */
int output_sync(const struct output *output, struct error *err);
/* Puts it in its place, and makes that last. */
int output_place(struct output *output, struct error *err);

#endif
