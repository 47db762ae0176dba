/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How the blocks of a picture move from one frame to the next: for each of them the way from half
 * the time between the two to either, so that what moves evenly lies on a straight line through it
 * (bilateral estimation; Choi, Lee and Ko 2007). The way is searched in diamonds (Zhu and Ma 2000)
 * from no motion on. The measure, its bounds and the order in which the search goes are those of
 * libavfilter's minterpolate with me=ds, so that its frames are equal. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_MOTION_H
#define BATCHD_PROCESSORS_INTERPOLATE_MOTION_H

#include <stddef.h>
#include <stdint.h>

/* Width and height of a block, in samples of luma. */
#define MOTION_BLOCK 16

/* One component of a picture, of 8 bits; borrowed. */
struct plane {
    const uint8_t *data;
    ptrdiff_t stride;
    int width, height;
};

/* In samples of luma. What lies at p half way lies at p + vector in the earlier frame and at p -
 * vector in the later one. */
struct vector {
    int16_t x, y;
};

/* One vector for each block that is whole; what is left over on the right and below has none. */
struct motion {
    int columns, rows;
    struct vector *vectors; /* row by row; owned */
};

/* Without motion. */
void motion_init(int width, int height, struct motion *ret);
void motion_done(struct motion *motion);

/* Both of the size that it was made for. Where there is no room for a window around a block, in
 * pictures of less than 32 samples in a direction, there is no motion. */
void motion_search(struct motion *motion, const struct plane *before, const struct plane *after);

#endif
