/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One chunk of a video, a pure function of the source, the recipe and its range: decoded from the
 * key frame before it, through fresh filters, a fresh stage where there is one, and a fresh encoder
 * into a file of its own, which is proved (chunk_check.h) before it counts. */
#ifndef BATCHD_PROCESSORS_MEDIA_CHUNK_H
#define BATCHD_PROCESSORS_MEDIA_CHUNK_H

#include "common/error.h"
#include "processors/media/encoder.h"
#include "processors/media/frame_stage.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;
struct packet_index;

/* The same for all chunks of a job; all is borrowed. */
struct chunk_recipe {
    const char *source;               /* path of the input */
    const struct packet_index *index; /* of it */
    const char *filters;              /* from any picture of it to the stage's or the encoder's */
    const struct frame_stage *stage;  /* behind them; NULL: none */
    const void *stage_plan;           /* for it */
    const char *last_filters;         /* from the stage to the encoder */
    /* Frames before and behind the chunk that filters and stage are to see too, as their memory
     * asks for. */
    unsigned roll_in, roll_out;
    int64_t roll_time; /* at least so much behind it, in source_base; 0: the frames alone count */
    struct encoder_settings settings;
    bool verify_all;          /* all frames are decoded again (chunk_check.h) */
    AVRational source_base;   /* of the source's time stamps */
    AVRational source_rate;   /* as the file says; 0/0: unknown */
    int64_t offset;           /* subtracted from them */
    unsigned decoder_threads; /* when it is read as a whole */
};

struct chunk_range {
    int64_t from, to; /* INT64_MIN and INT64_MAX: without a bound */
};

/* Makes it at `path`, synced. *ret_facts {bytes, sha256, frames, frames_decoded of them for the
 * check, and of the source in its time base: frames_in, first, last, step_min, step_max,
 * last_duration, times_repaired; captions; what the stage notes}, owned by the caller.
 * ERROR_CONFLICT: the source cannot be read in parts. `lane` is told of each frame of the range
 * that was read. */
int chunk_make(const struct chunk_recipe *recipe, const struct chunk_range *range, const char *path,
               struct lane *lane, json_t **ret_facts, struct error *err);

#endif
