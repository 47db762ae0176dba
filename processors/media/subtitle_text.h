/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Subtitles of text from one form to another (SubRip, ASS, WebVTT, MP4's timed text): decoded and
 * encoded by libavcodec. MP4 shows one cue at a time: where several overlap there, what is shown
 * together becomes a cue of its own. */
#ifndef BATCHD_PROCESSORS_MEDIA_SUBTITLE_TEXT_H
#define BATCHD_PROCESSORS_MEDIA_SUBTITLE_TEXT_H

#include "common/error.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>

/* More at a time than a screen has room for: the oldest goes. */
#define SUBTITLE_TEXT_SHOWN_MAX 16

struct subtitle_text;

/* Cues that did not come over, or not as long as they are. */
struct subtitle_losses {
    int64_t unreadable; /* that are not what their form says */
    int64_t unwritable; /* that the other form does not take, such as too long ones */
    int64_t crowded;    /* that went before their end, as too many were shown at a time */
};

/* Where the cues go: from start to end, in the time base of what is put in. */
struct subtitle_sink {
    int (*take)(void *arg, int64_t start, int64_t end, AVPacket *packet, struct error *err);
    void *arg;
};

/* Whether this FFmpeg knows both forms, and both are text. */
bool subtitle_text_converts(enum AVCodecID from, enum AVCodecID to);

/* *ret is released by subtitle_text_close in any case. */
int subtitle_text_open(const AVStream *from, enum AVCodecID to, const struct subtitle_sink *sink,
                       struct subtitle_text **ret, struct error *err);
void subtitle_text_close(struct subtitle_text *text);
/* What a stream of the cues has. */
int subtitle_text_parameters(const struct subtitle_text *text, AVCodecParameters *ret,
                             struct error *err);

/* Starts do not go back. A cue that cannot be converted is left out, and counted in *losses. -1
 * with err: the sink fails. */
int subtitle_text_put(struct subtitle_text *text, int64_t start, int64_t end,
                      const AVPacket *packet, struct subtitle_losses *losses, struct error *err);
int subtitle_text_finish(struct subtitle_text *text, struct subtitle_losses *losses,
                         struct error *err);

#endif
