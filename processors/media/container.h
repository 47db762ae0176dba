/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The container of an output, by the ending of its name. */
#ifndef BATCHD_PROCESSORS_MEDIA_CONTAINER_H
#define BATCHD_PROCESSORS_MEDIA_CONTAINER_H

#include "common/error.h"

#include <stdbool.h>

/* libavformat's name: mp4 (.mp4, .m4v), mov, matroska (.mkv) or webm; NULL with ERROR_INVALID. */
const char *container_of(const char *path, struct error *err);

/* Whether players expect this codec (h264, h265, av1, vp9) in it. 0, or -1 with ERROR_INVALID. */
int container_takes(const char *container, const char *codec, struct error *err);

#endif
