/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The file of a unit of work: on disk before it counts, and known again by its sum. */
#ifndef BATCHD_PROCESSORS_MEDIA_UNIT_FILE_H
#define BATCHD_PROCESSORS_MEDIA_UNIT_FILE_H

#include "common/error.h"

#include <jansson.h>

/* Syncs it. *ret {bytes, sha256}, owned by the caller. */
int unit_file_facts(const char *path, json_t **ret, struct error *err);
/* Whether it is the file that these facts tell of. 0, or -1 and why. */
int unit_file_check(const char *path, const json_t *facts, struct error *err);

#endif
