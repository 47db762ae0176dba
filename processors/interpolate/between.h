/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frames of YCbCr 4:2:0 with 8 bits in, a frame for each slot of the output's rate out: copies at
 * the times of frames and between two scenes, else what lies between the two frames around it. All
 * that it keeps is the frame before and the motion of its blocks. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_BETWEEN_H
#define BATCHD_PROCESSORS_INTERPOLATE_BETWEEN_H

#include "processors/media/frame_stage.h"

struct between_plan {
    AVRational rate;  /* slot k is at k / rate */
    bool by_motion;   /* else frames fade into each other */
    int64_t end_slot; /* the first one behind the end of the input */
    int64_t hold;     /* how long the last frame is shown, in the frames' time base */
};

/* Its plan is a struct between_plan. It notes scene_cuts: how often the scene changes behind a
 * frame that is the chunk's: it knows how much it changed before that. */
extern const struct frame_stage between_stage;

#endif
