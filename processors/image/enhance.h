/* Denoise, auto-levels, CLAHE, sharpen. Alpha is never touched. All take and give 8 or 16 bits,
 * grey or RGB (denoise CMYK too), and keep the depth. 0, or -1 with vips's error buffer filled. */
#ifndef BATCHD_PROCESSORS_IMAGE_ENHANCE_H
#define BATCHD_PROCESSORS_IMAGE_ENHANCE_H

#include <vips/vips.h>

struct options;

/* Median; works on pixels that come once, top to bottom. */
int enhance_denoise(VipsImage **image, int radius);

/* Auto-levels, CLAHE, sharpen, as the options ask. The picture must lie in memory: levels read it
 * twice. */
int enhance(VipsImage **image, const struct options *options);

#endif
