/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is done to the pictures, as a chain of libavfilter's filters: deinterlace, turn, crop,
 * denoise, scale, another rate; with what that chain has to see around a chunk so that the chunk
 * has no seam. */
#ifndef BATCHD_PROCESSORS_VIDEO_PICTURES_H
#define BATCHD_PROCESSORS_VIDEO_PICTURES_H

#include "common/error.h"
#include "processors/video/geometry.h"

#include <stdbool.h>

struct chunk_recipe;
struct reader;
struct request;

struct pictures {
    struct geometry geometry;
    bool deinterlaced;
    bool one_to_one; /* one frame in is one frame out, at its time */
    char filters[640];
};

/* Sets filters, roll_in, roll_out, and of the settings size, aspect, rate and time base. 0, or -1
 * with ERROR_INVALID. */
int pictures_plan(const struct request *request, const struct reader *reader,
                  struct chunk_recipe *recipe, struct pictures *ret, struct error *err);

#endif
