/* The guard of a VipsImage, and the step from one to the next: every operation of this processor
 * takes a `VipsImage **`, and leaves there what it made of it. */
#ifndef BATCHD_PROCESSORS_IMAGE_PICTURE_H
#define BATCHD_PROCESSORS_IMAGE_PICTURE_H

#include "common/cleanup.h"

#include <stdbool.h>
#include <vips/vips.h>

static inline void cleanup_image(VipsImage **image)
{
    g_clear_object(image);
}
#define CLEANUP_IMAGE CLEANUP(cleanup_image)

/* *image = next, which is taken; the old one is released. */
static inline void image_replace(VipsImage **image, VipsImage *next)
{
    g_object_unref(*image);
    *image = next;
}

/* Samples of that format, with `shift` 65535 becoming 255, and what they then mean. 0, or -1 with
 * what libvips says. */
int image_cast(VipsImage **image, VipsBandFormat format, bool shift, VipsInterpretation space);

/* The largest value of a sample; the samples are of 8 or 16 bits (colour_prepare). */
static inline double image_white(const VipsImage *image)
{
    return image->BandFmt == VIPS_FORMAT_USHORT ? 65535 : 255;
}

#endif
