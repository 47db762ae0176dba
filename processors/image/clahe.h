/* Contrast-limited adaptive histogram equalisation of the lightness. vips does it on 8 bits; the
 * change found there is added to the lightness in its own depth, so that 16-bit pictures keep their
 * steps. */
#ifndef BATCHD_PROCESSORS_IMAGE_CLAHE_H
#define BATCHD_PROCESSORS_IMAGE_CLAHE_H

#include <vips/vips.h>

/* Grey or RGB without alpha, in memory: rows are read out of order. `limit` is the steepest slope
 * of the curve. 0, or -1 with vips's error buffer filled. */
int clahe(VipsImage **image, int limit);

#endif
