/* The part of the work that vips is at, as progress lines. */
#ifndef BATCHD_PROCESSORS_IMAGE_PROGRESS_H
#define BATCHD_PROCESSORS_IMAGE_PROGRESS_H

#include <vips/vips.h>

/* The share of the whole (0..1) that the evaluation under way covers. */
struct progress {
    double from, to;
};

/* Reports while `image`, or what is made of it, is computed. `progress` is borrowed and must
 * outlive the computation; the caller changes it from one to the next. */
void progress_watch(VipsImage *image, struct progress *progress);

/* The next evaluation covers up to `to`. */
void progress_next(struct progress *progress, double to);

#endif
