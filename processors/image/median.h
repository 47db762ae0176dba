/* The median of each sample and its neighbours. vips_rank is not used: in 8.14 what it gives for 5
 * x 5 and 7 x 7 is not the median, and 3 x 3 takes three times as long. */
#ifndef BATCHD_PROCESSORS_IMAGE_MEDIAN_H
#define BATCHD_PROCESSORS_IMAGE_MEDIAN_H

#include <vips/vips.h>

#define MEDIAN_RADIUS_MAX 3 /* pixels */

/* 8 or 16 bits, any bands; what is beyond the edges is as the edge. Works on pixels that come once,
 * top to bottom. 0, or -1 with vips's error buffer filled. */
int median(VipsImage **image, int radius);

#endif
