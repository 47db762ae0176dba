/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A video made from another one in chunks: what is done is kept in a journal, so that a run that
 * was killed is gone on with and ends with the same bytes; chunks are made side by side on the
 * job's cpus; all is joined, read again, compared, and then gets its name.
 *
 *   render_open     reads the input's headers and index: what it is, and that its container is
 * whole (the caller)    sets the recipe: filters and encoder render_run      makes, joins, checks
 * and publishes it */
#ifndef BATCHD_PROCESSORS_MEDIA_RENDER_H
#define BATCHD_PROCESSORS_MEDIA_RENDER_H

#include "common/error.h"
#include "processors/media/chunk.h"
#include "processors/media/chunk_plan.h"
#include "processors/media/colour.h"
#include "processors/media/packet_index.h"
#include "processors/media/reader.h"
#include "processors/media/time_span.h"
#include "processors/media/tracks.h"

#include <jansson.h>
#include <stdbool.h>

struct journal;
struct request;
struct source;
struct subtitle_losses;

struct render {
    /* by render_open */
    const struct request *request; /* borrowed, as is the source */
    const struct source *source;
    char *target;          /* owned; absolute */
    const char *container; /* by the target's ending */
    struct tracks tracks;  /* beside the picture */
    const char *staged;    /* by render_run; borrowed from staging.h */
    struct reader reader;  /* of the input, at its end */
    struct colour colour;  /* that the output is to tell: the input's, of limited range */
    struct packet_index index;
    /* The rest of it by the caller: filters, roll_in, roll_out, settings but for the threads. */
    struct chunk_recipe recipe;
    struct chunk_costs costs; /* as render_open sets them, or the caller's own */
    const char *depth_reason; /* why it has fewer bits, a colon before; NULL: by the codec */
    bool keep_matrix;         /* the input's display matrix goes with the output */
    bool one_to_one;          /* as many frames out as in, at their times */
    json_t *warnings;         /* texts, for the result; owned */
    /* own */
    struct chunk_plan plan;
    struct journal *journal;
    unsigned *units; /* that are to be made; owned */
    size_t unit_count;
    unsigned reused, made; /* units: of an earlier run, of this one */
    struct time_span in;   /* the input's frames */
    json_t *hardware;      /* owned; by render_choose_encoder: what hardware.h says of it */
    json_t *partial; /* owned; of an input that is damaged: the result of the job that failed */
    int64_t frames_out, frames_decoded; /* the latter of them, for the check */
    int64_t scene_cuts;                 /* as the recipe's stage counts them */
    bool captions;
};

/* ERROR_INVALID for an ending of `output` that is no container; ERROR_DAMAGED when the input is not
 * whole: the text and render->partial tell how many frames decode, here as in render_run. *ret must
 * be zeroed; render_close in any case. */
int render_open(const struct request *request, const struct source *source, struct render *ret,
                struct error *err);
void render_close(struct render *render);

/* Something of the input does not come over: told in the log now, and in the result. */
void render_warn(struct render *render, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Of the input: what is left out, and what its pictures lose in the recipe's format. */
void render_warn_of_tracks(struct render *render);
void render_warn_of_format(struct render *render);
/* Of the pictures: closed captions within them, for an encoder that has no place for those. */
void render_warn_of_captions(struct render *render);
/* Of subtitles: what did not come over of a track. */
void render_warn_of_cues(struct render *render, const struct track *track,
                         const struct subtitle_losses *losses);
/* Of the output: what it should tell of its colours and does not. */
void render_warn_of_colour(struct render *render, const struct colour *found);

/* Behind the recipe: one of the GPU in the place of the codec's own, as the parameter `hardware`
 * says. A format that it asks for is put behind `filters`, the recipe's, in `bytes` of room. What
 * is chosen is a part of the journal's key. 0, or -1 as hardware_choose. */
int render_choose_encoder(struct render *render, char *filters, size_t bytes, struct error *err);

/* 0 and the output is in its place: *ret_result has inputs, outputs, frames_in, frames_out,
 * duration_us, media, metrics, checkpoints and warnings, and is the caller's. -1: the target is as
 * it was. */
int render_run(struct render *render, json_t **ret_result, struct error *err);

/* -1, and err as it is, or of an input that is damaged with how much of it there is, as in
 * render->partial. For whoever read the input by himself and failed. */
int render_damaged(struct render *render, struct error *err);

/* Between render.c and render_output.c: the chunks of a journal that is complete, joined, checked
 * and published. */
int render_publish(struct render *render, json_t **ret_result, struct error *err);

#endif
