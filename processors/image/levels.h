/* Auto-levels: one straight line for all bands, so that hues stay, set by the lightness that is
 * there. */
#ifndef BATCHD_PROCESSORS_IMAGE_LEVELS_H
#define BATCHD_PROCESSORS_IMAGE_LEVELS_H

#include <vips/vips.h>

/* Grey or RGB without alpha, in memory. 0, or -1 with vips's error buffer filled. */
int levels_stretch(VipsImage **image);

#endif
