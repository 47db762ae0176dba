/* Contrast-limited adaptive histogram equalisation of the lightness. */
#ifndef BATCHD_PROCESSORS_IMAGE_CLAHE_H
#define BATCHD_PROCESSORS_IMAGE_CLAHE_H

#include <vips/vips.h>

/* The first band of a picture without alpha: grey of 8 or 16 bits, or vips's LABS. It is computed
 * into memory and changed there; 16 bits keep their steps. `slope` is the steepest that a curve may
 * be, at least 2. 0, or -1 with vips's error buffer filled. */
int clahe(VipsImage **image, int slope);

#endif
