/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sound that is encoded: decoded, brought to what the encoder takes, and encoded. Gaps are filled
 * with silence, so that sound and picture stay together. */
#ifndef BATCHD_PROCESSORS_MEDIA_AUDIO_TRACK_H
#define BATCHD_PROCESSORS_MEDIA_AUDIO_TRACK_H

#include "common/error.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <stdbool.h>

struct output;
struct reader;

struct audio_track {
    struct reader *reader; /* borrowed */
    struct output *output; /* borrowed */
    AVStream *stream;      /* borrowed from output */
    int64_t offset;        /* subtracted from the input's time stamps, in its time base */
    int64_t packets;
    const char *library; /* of the encoder */
    int64_t next_pts;    /* expected of a frame, as in the input */
    bool begun;
    AVCodecContext *encoder;
    AVFilterGraph *graph;
    AVFilterContext *source, *sink; /* borrowed from graph */
    AVFrame *filtered;
    AVPacket *packet;
};

/* *ret must be zeroed; audio_track_close in any case. */
int audio_track_encode(struct reader *reader, struct output *output, const char *container,
                       struct audio_track *ret, struct error *err);
void audio_track_close(struct audio_track *track);

int audio_track_frame(struct audio_track *track, AVFrame *frame, struct error *err);
int audio_track_finish(struct audio_track *track, struct error *err);

#endif
