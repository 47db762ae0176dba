/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A picture between two frames, from the motion of its blocks: each block is taken from both
 * frames, as far along its way as the time asks for, and lies over its neighbours, whose weights
 * fade into each other (overlapped block motion compensation; Orchard and Sullivan 1994). Four
 * blocks at most have a part in a sample, so a picture is made in cells each of which has the same
 * four. The weights, and how sums are rounded, are those of libavfilter's minterpolate, so that its
 * frames are equal. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_OVERLAP_H
#define BATCHD_PROCESSORS_INTERPOLATE_OVERLAP_H

#include "processors/interpolate/motion.h"

#include <stdbool.h>

/* At a time of 0 it is the earlier frame, at this the later one. */
#define OVERLAP_TIME_MAX 1024
/* Of the blocks that have a part in a sample, where there are four. */
#define OVERLAP_WEIGHT_SUM 256
/* Samples of a cell. */
#define OVERLAP_CELL (MOTION_BLOCK * MOTION_BLOCK)

/* Of a block in the four cells that it lies over, [lower][right]. */
struct overlap_weights {
    uint16_t full[2][2][OVERLAP_CELL];
    uint16_t half[2][2][OVERLAP_CELL / 4]; /* for components of half the width and height */
};

/* One component of two frames, and when between them. */
struct overlap_pair {
    struct plane before, after; /* of the same size */
    int time;                   /* of OVERLAP_TIME_MAX */
    bool halved;                /* half as wide and high as what the motion was searched in */
};

void overlap_init(struct overlap_weights *ret);

/* `to` has the size of the frames' component. */
void overlap_make(const struct overlap_weights *weights, const struct motion *motion,
                  const struct overlap_pair *pair, uint8_t *to, ptrdiff_t stride);
/* The same where nothing moves: they fade into each other. */
void overlap_blend(const struct overlap_pair *pair, uint8_t *to, ptrdiff_t stride);

#endif
