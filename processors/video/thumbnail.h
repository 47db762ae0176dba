/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mode=thumbnail: one picture of a video as JPEG or PNG, turned, cropped and scaled like a
 * transcode's. */
#ifndef BATCHD_PROCESSORS_VIDEO_THUMBNAIL_H
#define BATCHD_PROCESSORS_VIDEO_THUMBNAIL_H

#include "common/error.h"

#include <jansson.h>

struct request;
struct source;

/* 0 and *ret_result, owned by the caller; -1 with err and no output. */
int thumbnail(const struct request *request, const struct source *source, json_t **ret_result,
              struct error *err);

#endif
