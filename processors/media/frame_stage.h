/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A stage of a processor's own between the filters of a chunk and its encoder: frames in, frames
 * out, at other times if it likes. Each chunk opens one for itself. */
#ifndef BATCHD_PROCESSORS_MEDIA_FRAME_STAGE_H
#define BATCHD_PROCESSORS_MEDIA_FRAME_STAGE_H

#include "common/error.h"

#include <jansson.h>
#include <libavutil/frame.h>
#include <stdbool.h>

/* Where its frames go. */
struct frame_sink {
    /* Whether a frame of that time is the chunk's; what belongs to its neighbours need not be made.
     */
    bool (*wants)(void *arg, int64_t time, AVRational time_base);
    /* The frame's content is referenced, not taken. */
    int (*take)(void *arg, AVFrame *frame, AVRational time_base, struct error *err);
    void *arg;
};

struct frame_stage {
    /* What it is to work with from the first frame on, by the recipe's plan, which is borrowed;
     * released by close, which takes NULL. */
    void *(*open)(const void *plan, const struct frame_sink *sink);
    void (*close)(void *stage);
    /* In the order of their times; the frame's content is referenced, not taken. */
    int (*push)(void *stage, AVFrame *frame, AVRational time_base, struct error *err);
    /* Behind the last frame: what is still to come. What it counted is added to the chunk's facts.
     */
    int (*finish)(void *stage, json_t *facts, struct error *err);
};

#endif
