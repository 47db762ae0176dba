/* Job types: executables with a manifest.json beside them (processors/README.md). Reads the
 * manifest at each use, so a new processor needs no restart. A folder found first hides those of
 * its name. */
#ifndef BATCHD_DAEMON_API_PROCESSORS_H
#define BATCHD_DAEMON_API_PROCESSORS_H

#include "common/json.h"

/* How a job uses its processor. */
struct processor_use {
    char *program;  /* the path to run; owned */
    json_t *params; /* as checked; owned */
    bool serves;    /* it knows --serve */
};

/* Finds the type in `dirs` and checks `values` (may be NULL) against its manifest: unknown names,
 * types, ranges, required ones; defaults are filled in. -1: ERROR_NOT_FOUND with field "type", or
 * ERROR_INVALID with field "params.NAME"; then *ret owns nothing. */
int processor_resolve(const char *const *dirs, const char *type, const json_t *values,
                      struct processor_use *ret, struct error *err);

/* One type: its manifest with "program" (the path to run) in place of "exec". Owned by the caller.
 * NULL with ERROR_NOT_FOUND, or ERROR_INVALID that says what is wrong with the manifest. */
json_t *processor_show(const char *const *dirs, const char *type, struct error *err);

/* All types in order of their names, {name, version, summary, program, problem}; of those that
 * cannot be used, only name and problem (a text) are not null. Owned by the caller. */
json_t *processor_list(const char *const *dirs);

#endif
