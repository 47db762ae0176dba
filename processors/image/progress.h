/* The part of the work that vips is at, as progress lines. */
#ifndef BATCHD_PROCESSORS_IMAGE_PROGRESS_H
#define BATCHD_PROCESSORS_IMAGE_PROGRESS_H

#include <vips/vips.h>

struct progress {
    double before, share; /* of the whole (0..1): behind this picture, and its own */
    int64_t done;         /* pictures before it */
    double from, to;      /* of the picture (0..1): what the evaluation under way covers */
};

/* Reports while `image`, or what is made of it, is computed. `progress` is borrowed and must
 * outlive the computation; the caller changes it from one to the next. */
void progress_watch(VipsImage *image, struct progress *progress);

/* The next evaluation covers up to `to` of the picture. */
void progress_next(struct progress *progress, double to);

#endif
