/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/reader.h"

#include "processors/lib/report.h"
#include "processors/media/media_log.h"
#include "processors/media/packet_time.h"
#include "processors/media/still.h"
#include "processors/media/time_joint.h"

#include <stdbool.h>

static int64_t frame_duration(const struct reader *reader, const AVFrame *frame)
{
    /* With reordered frames, MP4 tells the distance in decoding order. */
    if (frame->pkt_duration > 0 && reader->video_decoder->has_b_frames > 0 && reader->step_max > 0)
        return FFMIN(frame->pkt_duration, reader->step_max);
    if (frame->pkt_duration > 0)
        return frame->pkt_duration;
    AVRational rate = reader->video->avg_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    return av_rescale_q(1, av_inv_q(rate), reader->video->time_base);
}

static void note_step(struct reader *reader, int64_t step)
{
    if (reader->frames == 1 || step < reader->step_min)
        reader->step_min = step;
    if (step > reader->step_max)
        reader->step_max = step;
}

/* Encoders want strictly rising time stamps. A missing or doubled one is put behind the last. */
static void settle_time(struct reader *reader, AVFrame *frame)
{
    bool first = reader->frames == 0;
    int64_t pts = frame->best_effort_timestamp;
    if (pts == AV_NOPTS_VALUE) {
        pts = first ? 0 : reader->end_pts;
        reader->times_repaired++;
    }
    if (!first && pts <= reader->last_pts) {
        pts = reader->last_pts + 1;
        reader->times_repaired++;
    }
    if (first)
        reader->first_pts = pts;
    else
        note_step(reader, pts - reader->last_pts);
    frame->pts = reader->last_pts = pts;
    frame->pkt_duration = frame_duration(reader, frame);
    reader->end_pts = pts + frame->pkt_duration;
}

/* ---- faults that are tolerated ---- */

/* From the stream's beginning; -1: it has none. */
static int64_t time_of(const struct reader *reader, const AVPacket *packet)
{
    if (packet->pts == AV_NOPTS_VALUE || packet->stream_index < 0 ||
        (unsigned)packet->stream_index >= reader->format->nb_streams)
        return -1;
    const AVStream *stream = reader->format->streams[packet->stream_index];
    const int64_t start = stream->start_time == AV_NOPTS_VALUE ? 0 : stream->start_time;
    const int64_t time =
        av_rescale_q(av_sat_sub64(packet->pts, start), stream->time_base, AV_TIME_BASE_Q);
    return FFMAX(time, 0);
}

void reader_tell_damage(struct reader *reader)
{
    if (!reader->damage.told)
        report_log("%s is not whole; what there is of it is counted", reader->label);
    reader->damage.told = true;
}

/* What was said is done with: the next fault says its own. */
static void note_fault(struct reader *reader, const char *what)
{
    struct reader_damage *damage = &reader->damage;
    if (damage->faults++ == 0) {
        const int64_t time = time_of(reader, reader->packet);
        reader_tell_damage(reader);
        damage->frames_before = reader->frames;
        damage->time_us = time < 0 || damage->joint_us > 0 ? reader_duration_us(reader) : time;
        damage->byte = reader->packet->pos;
        (void)snprintf(damage->what, sizeof(damage->what), "%s", what);
    }
    reader->decode_errors = 0;
    damage->stream = -1;
    media_log_clear(&reader->log, MEDIA_LOG_DEMUXER);
    media_log_clear(&reader->log, MEDIA_LOG_DECODER);
}

/* While the decoder is at it: its frame may come now, or some packets later. */
static void doubt(struct reader *reader, const AVPacket *packet)
{
    struct reader_damage *damage = &reader->damage;
    if (packet != NULL && packet->pts != AV_NOPTS_VALUE &&
        media_log_errors(&reader->log, MEDIA_LOG_DECODER) > 0)
        damage->doubted[damage->doubted_count++ % READER_DOUBTED] = packet->pts;
}

static bool is_flawed(const struct reader *reader, const AVFrame *frame)
{
    const struct reader_damage *damage = &reader->damage;
    if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0)
        return true;
    for (size_t i = 0; i < damage->doubted_count && i < READER_DOUBTED; i++) {
        if (damage->doubted[i] == frame->best_effort_timestamp)
            return true;
    }
    return false;
}

/* ---- decoding ---- */

static int take_sound(struct reader *reader, int64_t *samples, const struct reader_calls *calls,
                      struct error *err)
{
    AVFrame *frame = reader->frame;
    frame->pts = frame->best_effort_timestamp;
    *samples += frame->nb_samples;
    return samples != &reader->audio_samples || calls->audio == NULL
               ? 0
               : calls->audio(calls->arg, frame, err);
}

static int take_picture(struct reader *reader, const struct reader_calls *calls, struct error *err)
{
    AVFrame *frame = reader->frame;
    if (reader->damage.tolerated && is_flawed(reader, frame))
        reader->damage.frames_flawed++;
    settle_time(reader, frame);
    if (reader->frames == 0)
        colour_add_frame(&reader->colour, frame);
    reader->frames++;
    frame->pict_type = AV_PICTURE_TYPE_NONE; /* the encoder chooses its own */
    return calls->video == NULL ? 0 : calls->video(calls->arg, frame, err);
}

struct decoding {
    AVCodecContext *decoder;
    int stream;       /* its number */
    int64_t *samples; /* where they are counted; NULL: it is the video */
    const struct reader_calls *calls;
};

static void note_refusal(struct reader *reader, const struct decoding *is)
{
    reader->decode_errors++;
    if (is->samples != NULL)
        reader->damage.stream = is->stream;
}

static int take_frame(struct reader *reader, const struct decoding *is, const AVPacket *packet,
                      struct error *err)
{
    const AVFrame *frame = reader->frame;
    if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0)
        note_refusal(reader, is);
    if (is->samples != NULL)
        return take_sound(reader, is->samples, is->calls, err);
    if (reader->damage.tolerated)
        doubt(reader, packet);
    return take_picture(reader, is->calls, err);
}

/* One packet, or NULL for the frames that the decoder still holds. */
static int decode(struct reader *reader, const struct decoding *is, const AVPacket *packet,
                  struct error *err)
{
    int rc = avcodec_send_packet(is->decoder, packet);
    if (rc < 0 && rc != AVERROR_EOF) {
        note_refusal(reader, is);
        reader->damage.packets_refused++;
    }
    while ((rc = avcodec_receive_frame(is->decoder, reader->frame)) >= 0) {
        int result = take_frame(reader, is, packet, err);
        av_frame_unref(reader->frame);
        if (result < 0)
            return -1;
    }
    if (rc == AVERROR(ENOMEM))
        return media_error(err, ERROR_BUSY, rc, "%s", reader->label);
    if (rc != AVERROR(EAGAIN) && rc != AVERROR_EOF)
        note_refusal(reader, is);
    if (is->samples == NULL && reader->damage.tolerated)
        doubt(reader, packet);
    return 0;
}

static int decode_video(struct reader *reader, const AVPacket *packet,
                        const struct reader_calls *calls, struct error *err)
{
    const struct decoding is = {reader->video_decoder, reader->video->index, NULL, calls};
    return decode(reader, &is, packet, err);
}

static int decode_audio(struct reader *reader, const AVPacket *packet,
                        const struct reader_calls *calls, struct error *err)
{
    const struct decoding is = {reader->audio_decoder, reader->audio->index, &reader->audio_samples,
                                calls};
    return decode(reader, &is, packet, err);
}

/* Nothing where that stream is not to be proved. */
static int prove(struct reader *reader, unsigned stream, const AVPacket *packet, struct error *err)
{
    const struct reader_calls none = {0};
    if (stream >= reader->proof_count || reader->proofs[stream].decoder == NULL)
        return 0;
    struct reader_proof *proof = &reader->proofs[stream];
    const struct decoding is = {proof->decoder, (int)stream, &proof->samples, &none};
    return decode(reader, &is, packet, err);
}

static int take_packet(struct reader *reader, const struct reader_calls *calls, struct error *err)
{
    AVPacket *packet = reader->packet;
    if (prove(reader, (unsigned)packet->stream_index, packet, err) < 0)
        return -1;
    if (calls->packet != NULL)
        return calls->packet(calls->arg, packet, err);
    if (reader->video != NULL && packet->stream_index == reader->video->index)
        return decode_video(reader, packet, calls, err);
    /* Pictures of the cover come once whatever was asked. */
    if (reader->audio == NULL || packet->stream_index != reader->audio->index)
        return 0;
    reader->audio_packets++;
    if (reader->audio_decoder != NULL)
        return decode_audio(reader, packet, calls, err);
    return calls->audio_packet == NULL ? 0 : calls->audio_packet(calls->arg, packet, err);
}

/* How far it was read: by the frames, where those are decoded, else by the packets' times. */
static void tell_place(const struct reader *reader, char *ret, size_t bytes)
{
    if (reader->decodes)
        (void)snprintf(ret, bytes, " after %lld frames (%.2f s)", (long long)reader->frames,
                       (double)reader_duration_us(reader) / AV_TIME_BASE);
    else if (reader->reached_us >= 0)
        (void)snprintf(ret, bytes, " behind %.2f s", (double)reader->reached_us / AV_TIME_BASE);
    else
        ret[0] = '\0';
}

static const char no_time[] = "a packet's time is none that can be";

/* 0 when it is tolerated. */
static int damaged(struct reader *reader, const char *what, const char *said, struct error *err)
{
    char text[READER_FAULT_BYTES];
    char place[64];
    reader->damaged = true;
    (void)snprintf(text, sizeof(text), "%s%s%s", what, said[0] == '\0' ? "" : ": ", said);
    if (reader->damage.tolerated) {
        note_fault(reader, text);
        return 0;
    }
    tell_place(reader, place, sizeof(place));
    return error_set(err, ERROR_DAMAGED, "%s is damaged or cut off%s: %s", reader->label, place,
                     text);
}

/* A decoder reports through its log what it then conceals, and a demuxer that meets the end of the
 * file too early logs a line and returns a plain end of file. */
static int check_health(struct reader *reader, struct error *err)
{
    char said[MEDIA_LOG_LINE_BYTES];
    char what[100] = "a packet does not decode";
    const int stream = reader->damage.stream;
    if (media_log_errors(&reader->log, MEDIA_LOG_DEMUXER) > 0) {
        media_log_first(&reader->log, MEDIA_LOG_DEMUXER, said, sizeof(said));
        return damaged(reader, "the container", said, err);
    }
    if (reader->decode_errors == 0 && media_log_errors(&reader->log, MEDIA_LOG_DECODER) == 0)
        return 0;
    if (stream >= 0)
        (void)snprintf(what, sizeof(what), "a packet of stream %d (%s) does not decode", stream,
                       avcodec_get_name(reader->format->streams[stream]->codecpar->codec_id));
    media_log_first(&reader->log, MEDIA_LOG_DECODER, said, sizeof(said));
    return damaged(reader, what, said, err);
}

static bool settle(const struct reader *reader)
{
    AVPacket *packet = reader->packet;
    return packet_time_settle(packet, reader->format->streams[packet->stream_index]->time_base);
}

static void note_reached(struct reader *reader)
{
    const int64_t time = time_of(reader, reader->packet);
    reader->reached_us = FFMAX(reader->reached_us, time);
}

/* Headers may say nothing of it: MP4 need not have the keys' owners (pssh). */
static int check_clear(const struct reader *reader, struct error *err)
{
    const int stream = reader->packet->stream_index;
    return av_packet_get_side_data(reader->packet, AV_PKT_DATA_ENCRYPTION_INFO, NULL) == NULL
               ? 0
               : reader_say_encrypted(reader, reader->format->streams[stream], err);
}

/* In a transport stream the last packet of each stream before it is marked as corrupt: what counts
 * packets does not go on. */
static void note_joint(struct reader *reader, int64_t back_us)
{
    struct reader_damage *damage = &reader->damage;
    if (damage->faults > damage->marks || damage->marks > reader->format->nb_streams)
        return;
    damage->faults = damage->marks = 0; /* it becomes the first one */
    damage->joint_us = back_us;
}

/* Where the latest time of decoding of the packet's stream is kept; NULL: it is neither the picture
 * nor the sound. */
static int64_t *latest_of(struct reader *reader)
{
    const int stream = reader->packet->stream_index;
    if (reader->video != NULL && stream == reader->video->index)
        return &reader->video_dts;
    return reader->audio != NULL && stream == reader->audio->index ? &reader->audio_dts : NULL;
}

static int check_joint(struct reader *reader, struct error *err)
{
    char what[200];
    int64_t *latest = latest_of(reader);
    const int64_t back_us =
        latest == NULL ? 0 : time_joint_us(reader->format, reader->packet, latest);
    if (back_us == 0)
        return 0;
    if (reader->damage.tolerated)
        note_joint(reader, back_us);
    (void)snprintf(what, sizeof(what), "time begins anew there, %.2f s back: %s",
                   (double)back_us / AV_TIME_BASE, time_joint_help(reader->format));
    return damaged(reader, what, "", err);
}

static int check_mark(struct reader *reader, struct error *err)
{
    if ((reader->packet->flags & AV_PKT_FLAG_CORRUPT) == 0)
        return 0;
    reader->damage.marks++;
    return damaged(reader, "a packet is marked as corrupt", "", err);
}

static int read_packet(struct reader *reader, const struct reader_calls *calls, struct error *err)
{
    const bool timely = settle(reader);
    note_reached(reader);
    if (check_clear(reader, err) < 0 || (!timely && damaged(reader, no_time, "", err) < 0) ||
        check_joint(reader, err) < 0)
        return -1;
    if (take_packet(reader, calls, err) < 0 || check_health(reader, err) < 0)
        return -1;
    if (reader->is_still && !still_is_whole(reader->video->codecpar->codec_id, reader->packet))
        return damaged(reader, "a JPEG without its end", "", err);
    return check_mark(reader, err);
}

static int fail_reading(struct reader *reader, int rc, struct error *err)
{
    char place[64];
    tell_place(reader, place, sizeof(place));
    (void)media_error(err, rc == AVERROR(EIO) ? ERROR_IO : ERROR_DAMAGED, rc,
                      "%s cannot be read on%s", reader->label, place);
    reader->damaged = err->code == ERROR_DAMAGED;
    if (!reader->damaged || !reader->damage.tolerated)
        return -1;
    note_fault(reader, err->text);
    return 0;
}

static int read_packets(struct reader *reader, const struct reader_calls *calls, struct error *err)
{
    int rc;
    double part = reader->progress_to - reader->progress_from;
    while ((rc = av_read_frame(reader->format, reader->packet)) >= 0) {
        int result = read_packet(reader, calls, err);
        av_packet_unref(reader->packet);
        if (result < 0)
            return -1;
        if (reader->is_still) { /* cameras put a preview or a film behind it */
            rc = AVERROR_EOF;
            break;
        }
        if (part > 0)
            report_progress(reader->progress_from +
                                part * (double)avio_tell(reader->format->pb) /
                                    (double)(reader->file_bytes > 0 ? reader->file_bytes : 1),
                            reader->frames);
    }
    return rc == AVERROR_EOF ? check_health(reader, err) : fail_reading(reader, rc, err);
}

int reader_next(struct reader *reader, AVPacket **ret, struct error *err)
{
    AVPacket *packet = reader->packet;
    int rc;
    *ret = NULL;
    do { /* what was read for its headers comes whatever was asked for */
        av_packet_unref(packet);
        rc = av_read_frame(reader->format, packet);
    } while (rc >= 0 && reader->format->streams[packet->stream_index]->discard >= AVDISCARD_ALL);
    if (rc < 0 && rc != AVERROR_EOF)
        return fail_reading(reader, rc, err);
    if (check_health(reader, err) < 0)
        return -1;
    if (rc == AVERROR_EOF)
        return 0;
    if (!settle(reader))
        return damaged(reader, no_time, "", err);
    note_reached(reader);
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0)
        return damaged(reader, "a packet is marked as corrupt", "", err);
    *ret = packet;
    return 0;
}

/* What the decoders still hold. Those of proofs have done their work. */
static int finish_decoding(struct reader *reader, const struct reader_calls *calls,
                           struct error *err)
{
    for (unsigned i = 0; i < reader->proof_count; i++) {
        if (prove(reader, i, NULL, err) < 0)
            return -1;
        avcodec_free_context(&reader->proofs[i].decoder);
    }
    if (calls->packet == NULL &&
        ((reader->video != NULL && decode_video(reader, NULL, calls, err) < 0) ||
         (reader->audio_decoder != NULL && decode_audio(reader, NULL, calls, err) < 0)))
        return -1;
    return check_health(reader, err);
}

int reader_run(struct reader *reader, const struct reader_calls *calls, struct error *err)
{
    reader->decodes = reader->video != NULL && calls->packet == NULL;
    if (read_packets(reader, calls, err) < 0 || finish_decoding(reader, calls, err) < 0)
        return -1;
    if (calls->packet != NULL)
        return 0;
    if (reader->video != NULL && reader->frames == 0) {
        reader->damaged = true;
        return error_set(err, ERROR_DAMAGED, "%s holds no frame that decodes", reader->label);
    }
    if (reader->progress_to > reader->progress_from)
        report_progress(reader->progress_to, reader->frames);
    return 0;
}

int64_t reader_duration_us(const struct reader *reader)
{
    return reader->frames == 0 || reader->video == NULL
               ? 0
               : av_rescale_q(reader->end_pts - reader->first_pts, reader->video->time_base,
                              AV_TIME_BASE_Q);
}
