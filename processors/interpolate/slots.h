/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the frames of the output lie, and the filters that fill them: slot k is at k/rate, from the
 * first frame of the input to the end of its last one. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_SLOTS_H
#define BATCHD_PROCESSORS_INTERPOLATE_SLOTS_H

#include "processors/media/chunk.h"

/* Of the input a chunk, at least: the four frames around it cost as much as its own. */
#define SLOTS_CHUNK_LEAST 48
/* libavfilter's minterpolate needs the frame before and the one behind the two between which it
 * works, and compares the change of a scene with the one before it. With two frames more on either
 * side a chunk is equal to one long run. */
#define SLOTS_ROLL 2
#define SLOTS_FILTERS_BYTES 384

struct slots {
    char filters[SLOTS_FILTERS_BYTES];
};

/* For pictures of width x height in the recipe's settings, which has index, offset and source_base.
 * Sets the recipe's filters, rolls, rate and the settings' time base and rate; `ret` must live as
 * long as it. */
void slots_plan(const char *method, AVRational rate, struct chunk_recipe *recipe,
                struct slots *ret);

#endif
