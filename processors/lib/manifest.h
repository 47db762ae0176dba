/* The manifest.json that lies beside this program (common/manifest.h has its rules). */
#ifndef BATCHD_PROCESSORS_LIB_MANIFEST_H
#define BATCHD_PROCESSORS_LIB_MANIFEST_H

#include "common/error.h"

#include <jansson.h>

/* Its text; the caller frees. NULL with ERROR_INTERNAL: the installation is broken. */
char *own_manifest_text(struct error *err);

/* Checks `values` (may be NULL) and fills in defaults. *ret is owned by the caller. -1 with
 * ERROR_INVALID that names parameter, value and rule. */
int own_manifest_check(const json_t *values, json_t **ret, struct error *err);

#endif
