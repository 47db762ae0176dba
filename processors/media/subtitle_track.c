/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/subtitle_track.h"

#include "processors/media/container.h"
#include "processors/media/media_log.h"
#include "processors/media/output.h"

/* How long a cue is shown that does not say so. */
#define SHOWN_SECONDS 4

/* MP4's text has two bytes for the length of what follows. */
#define MOV_TEXT_LENGTH_BYTES 2

bool subtitle_track_is_blank(enum AVCodecID codec, const AVPacket *packet)
{
    return codec == AV_CODEC_ID_MOV_TEXT && packet->size <= MOV_TEXT_LENGTH_BYTES;
}

enum AVCodecID subtitle_track_codec(enum AVCodecID codec, const char *container)
{
    static const enum AVCodecID texts[] = {AV_CODEC_ID_SUBRIP, AV_CODEC_ID_MOV_TEXT,
                                           AV_CODEC_ID_WEBVTT};
    if (container_takes_subtitles(container, codec))
        return codec;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (container_takes_subtitles(container, texts[i]) &&
            subtitle_text_converts(codec, texts[i]))
            return texts[i];
    }
    return AV_CODEC_ID_NONE;
}

/* ---- writing ---- */

static int write_cue(void *arg, int64_t start, int64_t end, AVPacket *packet, struct error *err)
{
    struct subtitle_track *track = arg;
    packet->pts = packet->dts = start;
    packet->duration = end - start;
    packet->flags |= AV_PKT_FLAG_KEY;
    track->cues += !subtitle_track_is_blank(track->to->codecpar->codec_id, packet);
    return output_write(track->output, track->to, packet, track->from->time_base, err);
}

int subtitle_track_open(const AVStream *from, enum AVCodecID codec, struct output *output,
                        struct subtitle_track *ret, struct error *err)
{
    const struct subtitle_sink sink = {.take = write_cue, .arg = ret};
    ret->output = output;
    ret->from = from;
    ret->to = output_add(output, from->time_base);
    if (codec != from->codecpar->codec_id)
        return subtitle_text_open(from, codec, &sink, &ret->text, err) < 0
                   ? -1
                   : subtitle_text_parameters(ret->text, ret->to->codecpar, err);
    int rc = avcodec_parameters_copy(ret->to->codecpar, from->codecpar);
    ret->to->codecpar->codec_tag = 0; /* it is the other container's word */
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "stream %d", from->index) : 0;
}

void subtitle_track_close(struct subtitle_track *track)
{
    subtitle_text_close(track->text);
    track->text = NULL;
}

/* MP4 counts what lies between two cues in 31 bits of the stream's time base, in milliseconds 24
 * days: what is later is put elsewhere by its writer. */
static bool is_far(const struct subtitle_track *track, int64_t from, int64_t to)
{
    return av_rescale_q(to - from, track->from->time_base, track->to->time_base) >= INT32_MAX;
}

/* Cues from before the picture's first begin with it; what is over by then is left out. Those of
 * pictures may have no end: the next one takes them away. */
int subtitle_track_packet(struct subtitle_track *track, AVPacket *packet, struct error *err)
{
    const AVRational second = {1, 1};
    const bool ends = packet->duration > 0;
    int64_t start = packet->pts == AV_NOPTS_VALUE ? packet->dts : packet->pts;
    if (start == AV_NOPTS_VALUE) {
        track->losses.unreadable++;
        return 0;
    }
    start = av_sat_sub64(start, track->offset);
    int64_t end = av_sat_add64(start, packet->duration);
    if (ends && end <= 0)
        return 0;
    start = FFMAX(start, track->last); /* writers do not take times that go back */
    end = FFMAX(end, start);
    if (is_far(track, track->last, end)) {
        track->losses.unwritable++;
        return 0;
    }
    track->last = start;
    if (track->text == NULL)
        return write_cue(track, start, end, packet, err);
    if (!ends)
        end = av_sat_add64(start, av_rescale_q(SHOWN_SECONDS, second, track->from->time_base));
    return subtitle_text_put(track->text, start, end, packet, &track->losses, err);
}

int subtitle_track_finish(struct subtitle_track *track, struct error *err)
{
    return track->text == NULL ? 0 : subtitle_text_finish(track->text, &track->losses, err);
}
