/* The manifest.json that lies beside this program (common/manifest.h has its rules). */
#ifndef BATCHD_PROCESSORS_LIB_MANIFEST_H
#define BATCHD_PROCESSORS_LIB_MANIFEST_H

#include "common/error.h"

#include <jansson.h>

/* Its text; the caller frees. NULL with ERROR_INTERNAL: the installation is broken. */
char *own_manifest_text(struct error *err);

/* It, checked; the caller owns it. NULL with ERROR_INTERNAL. */
json_t *own_manifest_load(struct error *err);

#endif
