/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the size and display matrix of the input and the asked width, height and rotation to the
 * output's size and the filters that lead there. Sizes are even (4:2:0 pictures), as shown. */
#ifndef BATCHD_PROCESSORS_VIDEO_GEOMETRY_H
#define BATCHD_PROCESSORS_VIDEO_GEOMETRY_H

#include "common/error.h"

#include <libavutil/pixfmt.h>
#include <libavutil/rational.h>
#include <stdbool.h>
#include <stdint.h>

struct reader;
struct request;

/* H.264 by libx264 takes no more in either direction. */
#define GEOMETRY_SIDE_MAX 16384

struct geometry {
    int width, height;       /* of the pictures to encode */
    bool keep_matrix;        /* the output carries the input's display matrix */
    AVRational pixel_aspect; /* of them */
    char turn[48], crop[64]; /* filters, each with a comma behind; "" for none */
    char scale[128];         /* ... without one */
};

/* The pictures are of `format`. 0, or -1 with ERROR_INVALID. */
int geometry_plan(const struct request *request, const struct reader *reader,
                  enum AVPixelFormat format, struct geometry *ret, struct error *err);

#endif
