/* Sizes: what the output will measure, and the way there. */
#ifndef BATCHD_PROCESSORS_IMAGE_SHAPE_H
#define BATCHD_PROCESSORS_IMAGE_SHAPE_H

#include "common/error.h"

#include <vips/vips.h>

struct format;
struct options;

struct shape {
    int width, height; /* of the output, in the orientation of the input's file */
};

/* ERROR_LIMIT when the output would pass the pixel limit, ERROR_INVALID when it would pass what its
 * format can hold. */
int shape_plan(VipsImage *image, const struct options *options, const struct format *format,
               struct shape *ret, struct error *err);

/* A step of vips's error style: 0, or -1 with its buffer filled. Works on pixels that come once,
 * top to bottom, when the picture does not grow. */
int shape_resize(VipsImage **image, const struct shape *shape);

#endif
