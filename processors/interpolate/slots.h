/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the frames of the output lie, and what fills them: slot k is at k/rate, from the first
 * frame of the input to the end of its last one. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_SLOTS_H
#define BATCHD_PROCESSORS_INTERPOLATE_SLOTS_H

#include "processors/interpolate/between.h"
#include "processors/media/chunk.h"

/* Of the input a chunk, at least: what is decoded before it, from a key frame on, costs too. */
#define SLOTS_CHUNK_LEAST 48
/* A chunk ends at a frame, which it needs, and the change of a scene is compared with what changed
 * before it. With one frame more on its sides a chunk is equal to one long run; packets are
 * counted, of which some in VP8 and VP9 show none, two at most one behind the other. */
#define SLOTS_ROLL 1
#define SLOTS_ROLL_HIDDEN 3
#define SLOTS_FILTERS_BYTES 128

struct slots {
    char filters[SLOTS_FILTERS_BYTES];
    char last_filters[SLOTS_FILTERS_BYTES];
    struct between_plan plan; /* by_motion by the caller */
};

/* For pictures of width x height in the recipe's settings, which has index, offset and source_base.
 * Sets the recipe's filters, stage, rolls and the settings' time base and rate; `ret` must live as
 * long as it. */
void slots_plan(AVRational rate, struct chunk_recipe *recipe, struct slots *ret);

#endif
