/* Job types: executables with a manifest.json beside them (processors/README.md). Reads the
 * manifest at each submit, so a new processor needs no restart. */
#ifndef BATCHD_DAEMON_API_PROCESSORS_H
#define BATCHD_DAEMON_API_PROCESSORS_H

#include "common/json.h"

/* Finds the type in `dirs` and checks `values` (may be NULL) against its manifest: unknown names,
 * types, ranges, required ones; defaults are filled in. *ret_program is the path to run (owned),
 * *ret_params the checked object (owned). -1: ERROR_NOT_FOUND with field "type", or ERROR_INVALID
 * with field "params.NAME". */
int processor_resolve(const char *const *dirs, const char *type, const json_t *values,
                      char **ret_program, json_t **ret_params, struct error *err);

#endif
