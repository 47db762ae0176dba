/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading a part of a video: from the key packet before it, up to the first frame behind it. */
#include "processors/media/media_log.h"
#include "processors/media/packet_time.h"
#include "processors/media/reader.h"

#include <stdbool.h>

enum step { STEP_FAILED = -1, STEP_ON, STEP_DONE };

struct part {
    struct reader *reader;
    const struct reader_range *range;
    const struct reader_calls *calls;
    bool begun; /* the key packet was met */
};

static int unseekable(const struct part *part, const char *why, struct error *err)
{
    if (part->range->key == AV_NOPTS_VALUE)
        return error_set(err, ERROR_CONFLICT, "%s cannot be read in parts: %s", part->reader->label,
                         why);
    return error_set(err, ERROR_CONFLICT, "%s cannot be read from time stamp %lld on: %s",
                     part->reader->label, (long long)part->range->key, why);
}

static int damaged(const struct part *part, const char *what, struct error *err)
{
    struct reader *reader = part->reader;
    char said[MEDIA_LOG_LINE_BYTES];
    media_log_first(&reader->log, MEDIA_LOG_DEMUXER, said, sizeof(said));
    if (said[0] == '\0')
        media_log_first(&reader->log, MEDIA_LOG_DECODER, said, sizeof(said));
    const char *colon = said[0] == '\0' ? "" : ": ";
    if (reader->frames == 0)
        return error_set(err, ERROR_DAMAGED,
                         "%s is damaged in front of the first frame that is needed: %s%s%s",
                         reader->label, what, colon, said);
    return error_set(err, ERROR_DAMAGED, "%s is damaged behind time stamp %lld: %s%s%s",
                     reader->label, (long long)reader->last_pts, what, colon, said);
}

static enum step take_frame(struct part *part, AVFrame *frame, struct error *err)
{
    struct reader *reader = part->reader;
    const int64_t pts = frame->best_effort_timestamp;
    if (pts == AV_NOPTS_VALUE)
        return unseekable(part, "a frame has no time", err);
    if (pts >= part->range->to)
        return STEP_DONE;
    if (pts < part->range->from)
        return STEP_ON;
    if (reader->frames > 0 && pts <= reader->last_pts)
        return unseekable(part, "the times of its frames do not rise", err);
    if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0)
        return damaged(part, "a frame does not decode", err);
    if (reader->frames++ == 0)
        reader->first_pts = pts;
    frame->pts = reader->last_pts = pts;
    frame->pict_type = AV_PICTURE_TYPE_NONE; /* the encoder chooses its own */
    return part->calls->video(part->calls->arg, frame, err) < 0 ? STEP_FAILED : STEP_ON;
}

static enum step drain(struct part *part, struct error *err)
{
    struct reader *reader = part->reader;
    enum step step = STEP_ON;
    int rc = 0;
    while (step == STEP_ON &&
           (rc = avcodec_receive_frame(reader->video_decoder, reader->frame)) >= 0) {
        step = take_frame(part, reader->frame, err);
        av_frame_unref(reader->frame);
    }
    if (step != STEP_ON)
        return step;
    if (rc == AVERROR(ENOMEM))
        return media_error(err, ERROR_BUSY, rc, "%s", reader->label);
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? STEP_ON
               : damaged(part, "a frame does not decode", err);
}

/* Packets behind the key packet whose time is before it refer to what was not read: their frames
 * are outside the range, and what the decoder says of them is no news. */
static enum step take_packet(struct part *part, const AVPacket *packet, struct error *err)
{
    struct reader *reader = part->reader;
    const int64_t key = part->range->key;
    const bool leading = key != AV_NOPTS_VALUE && packet->pts < key;
    if (!part->begun && key != AV_NOPTS_VALUE) {
        const bool is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        if (is_key && packet->pts > key)
            return unseekable(part, "its seek leads elsewhere", err);
        if (!is_key || packet->pts < key)
            return STEP_ON; /* before it */
    }
    part->begun = true;
    reader->range_keys += (packet->flags & AV_PKT_FLAG_KEY) != 0;
    /* What no other picture is made of need not be decoded where it is not wanted. (H.264 alone
     * says it of each picture for sure.) */
    const bool passed = packet->pts != AV_NOPTS_VALUE && packet->pts < part->range->from &&
                        reader->video->codecpar->codec_id == AV_CODEC_ID_H264;
    reader->video_decoder->skip_frame = passed ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
    int rc = avcodec_send_packet(reader->video_decoder, packet);
    enum step step = drain(part, err);
    if (step != STEP_ON)
        return step;
    if (leading)
        media_log_clear(&reader->log, MEDIA_LOG_DECODER);
    else if (rc < 0 || media_log_errors(&reader->log, MEDIA_LOG_DECODER) > 0)
        return damaged(part, "a packet does not decode", err);
    return STEP_ON;
}

static enum step next(struct part *part, struct error *err)
{
    struct reader *reader = part->reader;
    int rc = av_read_frame(reader->format, reader->packet);
    if (rc < 0 && rc != AVERROR_EOF)
        return media_error(err, rc == AVERROR(EIO) ? ERROR_IO : ERROR_DAMAGED, rc,
                           "%s cannot be read on", reader->label);
    if (rc == AVERROR_EOF) {
        (void)avcodec_send_packet(reader->video_decoder, NULL);
        return drain(part, err) == STEP_FAILED ? STEP_FAILED : STEP_DONE;
    }
    enum step step = STEP_ON;
    if (!packet_time_settle(reader->packet,
                            reader->format->streams[reader->packet->stream_index]->time_base))
        step = damaged(part, "a packet's time is none that can be", err);
    else if (reader->packet->stream_index == reader->video->index)
        step = take_packet(part, reader->packet, err);
    av_packet_unref(reader->packet);
    return step == STEP_ON && media_log_errors(&reader->log, MEDIA_LOG_DEMUXER) > 0
               ? damaged(part, "the container", err)
               : step;
}

int reader_run_range(struct reader *reader, const struct reader_range *range,
                     const struct reader_calls *calls, struct error *err)
{
    struct part part = {.reader = reader, .range = range, .calls = calls};
    enum step step = STEP_ON;
    if (reader->audio != NULL)
        reader->format->streams[reader->audio->index]->discard = AVDISCARD_ALL;
    if (range->key != AV_NOPTS_VALUE &&
        av_seek_frame(reader->format, reader->video->index, range->seek, AVSEEK_FLAG_BACKWARD) < 0)
        return unseekable(&part, "it does not seek", err);
    while (step == STEP_ON)
        step = next(&part, err);
    return step == STEP_FAILED ? -1 : 0;
}
