/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether the distorted shows the right pictures, but some frames too early or too late: then each
 * pair is of pictures that do not belong together, and their PSNR and SSIM say nothing about the
 * quality. Coarse means of each frame are compared with those of the frames around it. */
#ifndef BATCHD_PROCESSORS_QUALITY_SHIFT_H
#define BATCHD_PROCESSORS_QUALITY_SHIFT_H

#include "processors/quality/comparison.h"

#include <stdbool.h>

#define SHIFT_FRAMES_MAX 4
#define SHIFT_CELLS 16 /* across and down */

struct shift_picture {
    float cells[SHIFT_CELLS * SHIFT_CELLS]; /* mean brightness, 0 to 1 */
};

struct shift {
    bool unknown; /* the pictures cannot be told so: packed pixels, or turned otherwise */
    int64_t pairs;
    /* The latest of each side; pair k is at k modulo their number. */
    struct shift_picture latest[SIDE_COUNT][SHIFT_FRAMES_MAX + 1];
    /* Of distorted frame k to reference frame k - i + SHIFT_FRAMES_MAX, over all pairs that have
     * both. */
    double distances[2 * SHIFT_FRAMES_MAX + 1];
    int64_t counts[2 * SHIFT_FRAMES_MAX + 1];
};

/* The next pair. *shift must be zeroed before the first. */
void shift_add(struct shift *shift, AVFrame *const frames[SIDE_COUNT]);

/* So many frames later than in the reference the distorted shows its pictures (below 0: earlier). 0
 * when it does not, or when that cannot be told: nothing moves, or all is too different. */
int shift_found(const struct shift *shift);

#endif
