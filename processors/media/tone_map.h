/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the light and the colours of HDR to those of ordinary pictures, for stills and previews. */
#ifndef BATCHD_PROCESSORS_MEDIA_TONE_MAP_H
#define BATCHD_PROCESSORS_MEDIA_TONE_MAP_H

#include "common/error.h"
#include "processors/media/colour.h"

#include <stdbool.h>

struct AVFrame;

/* What pictures must have to be mapped: each pixel stands for itself (libavutil/pixfmt.h);
 * and their range is the limited one. */
#define TONE_MAP_FORMAT AV_PIX_FMT_YUV444P16

/* Whether it is HDR, and of a kind that can be mapped. */
bool tone_map_can(const struct colour *colour);

/* The picture (of TONE_MAP_FORMAT) as GBR of 8 bits with the curve of sRGB; the caller frees it. It
 * takes memory for that and for some rows of light. */
int tone_map_picture(const struct AVFrame *picture, const struct colour *colour,
                     struct AVFrame **ret, struct error *err);

#endif
