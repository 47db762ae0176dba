/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The subtitles of one stream: cues copied, or converted to another form of text. */
#ifndef BATCHD_PROCESSORS_MEDIA_SUBTITLE_TRACK_H
#define BATCHD_PROCESSORS_MEDIA_SUBTITLE_TRACK_H

#include "common/error.h"
#include "processors/media/subtitle_text.h"

#include <libavformat/avformat.h>
#include <stdbool.h>

struct output;

struct subtitle_track {
    struct output *output; /* borrowed */
    const AVStream *from;  /* borrowed */
    AVStream *to;          /* borrowed from output */
    int64_t offset;        /* subtracted from the times, in from->time_base */
    int64_t last;          /* the start of the cue that came last, after that */
    int64_t cues;          /* that were written */
    struct subtitle_losses losses;
    struct subtitle_text *text; /* owned; NULL: they are copied */
};

/* The form that this container takes cues of `codec` in: it itself, another kind of text, or NONE.
 */
enum AVCodecID subtitle_track_codec(enum AVCodecID codec, const char *container);
/* MP4 fills the time between two cues with empty ones. */
bool subtitle_track_is_blank(enum AVCodecID codec, const AVPacket *packet);

/* Adds the stream to the output, in the form `codec`. *ret must be zeroed; subtitle_track_close in
 * any case. It stays where it is until then. */
int subtitle_track_open(const AVStream *from, enum AVCodecID codec, struct output *output,
                        struct subtitle_track *ret, struct error *err);
void subtitle_track_close(struct subtitle_track *track);

int subtitle_track_packet(struct subtitle_track *track, AVPacket *packet, struct error *err);
int subtitle_track_finish(struct subtitle_track *track, struct error *err);

#endif
