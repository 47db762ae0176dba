/* The manifest.json that lies beside the program: one list of parameters, with their types, ranges
 * and defaults, for batchd (which checks at submit) and for the program (which checks again, so
 * that it may be run by hand and so that no number reaches a codec unchecked). */
#ifndef BATCHD_PROCESSORS_LIB_MANIFEST_H
#define BATCHD_PROCESSORS_LIB_MANIFEST_H

#include "common/error.h"

#include <jansson.h>

/* Its text; the caller frees. NULL with ERROR_INTERNAL: the installation is broken. */
char *manifest_text(struct error *err);

/* Checks `values` (may be NULL) and fills in defaults. *ret is owned by the caller. -1 with
 * ERROR_INVALID that names parameter, value and rule. */
int manifest_check(const json_t *values, json_t **ret, struct error *err);

#endif
