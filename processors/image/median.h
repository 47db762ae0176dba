/* The median of each sample and its eight neighbours: a small, fixed window, for which vips's own
 * median of any window takes three times as long. */
#ifndef BATCHD_PROCESSORS_IMAGE_MEDIAN_H
#define BATCHD_PROCESSORS_IMAGE_MEDIAN_H

#include <vips/vips.h>

/* 8 or 16 bits, any bands; what is beyond the edges is as the edge. Works on pixels that come once,
 * top to bottom. 0, or -1 with vips's error buffer filled. */
int median_3x3(VipsImage **image);

#endif
