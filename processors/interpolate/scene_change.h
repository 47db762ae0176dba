/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether the scene changes between two frames: they differ by much more than the two before them
 * did. The measure and the threshold are those of libavfilter's minterpolate. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_SCENE_CHANGE_H
#define BATCHD_PROCESSORS_INTERPOLATE_SCENE_CHANGE_H

#include "processors/interpolate/motion.h"

#include <stdbool.h>

/* For the luma of two frames of the same size. `difference` is that of the two before, 0 at first,
 * and becomes theirs. */
bool scene_changes(const struct plane *before, const struct plane *after, double *difference);

#endif
