/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Decoded frames in, H.264 packets out: filter graph, libx264, and the table of the frames' times
 * by which the written file is judged afterwards. One frame in is one frame out. */
#ifndef BATCHD_PROCESSORS_VIDEO_VIDEO_TRACK_H
#define BATCHD_PROCESSORS_VIDEO_VIDEO_TRACK_H

#include "common/error.h"
#include "processors/video/geometry.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>

struct output;
struct reader;
struct request;

struct frame_time {
    int64_t pts, duration; /* in the input's time base */
};

struct video_track {
    struct geometry geometry;
    const struct reader *reader; /* borrowed */
    struct output *output;       /* borrowed */
    AVStream *stream;            /* borrowed from output */
    AVCodecContext *encoder;
    unsigned threads;
    int64_t offset; /* subtracted from the input's time stamps */

    AVFilterGraph *graph;
    AVFilterContext *source, *sink; /* borrowed from graph */
    int source_width, source_height, source_format;
    AVFrame *filtered;
    AVPacket *packet;

    struct frame_time *times; /* owned; one a frame, rising */
    size_t count, room;
    int64_t packets;
};

/* Adds the stream to the output. *ret must be zeroed; video_track_close in any case. */
int video_track_open(const struct request *request, const struct reader *reader,
                     struct output *output, struct video_track *ret, struct error *err);
void video_track_close(struct video_track *track);

/* `offset` is in the input's time base. */
int video_track_frame(struct video_track *track, AVFrame *frame, struct error *err);
int video_track_finish(struct video_track *track, struct error *err);

#endif
