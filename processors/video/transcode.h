/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mode=transcode: the input in chunks through filters and encoder (processors/media/render.h). */
#ifndef BATCHD_PROCESSORS_VIDEO_TRANSCODE_H
#define BATCHD_PROCESSORS_VIDEO_TRANSCODE_H

#include "common/error.h"

#include <jansson.h>

struct request;
struct source;

/* 0 and *ret_result, owned by the caller; -1 with err and no output. */
int transcode(const struct request *request, const struct source *source, json_t **ret_result,
              struct error *err);

#endif
