/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/audio_track.h"

#include "common/alloc.h"
#include "processors/media/container.h"
#include "processors/media/filter_graph.h"
#include "processors/media/media_log.h"
#include "processors/media/output.h"
#include "processors/media/reader.h"
#include "processors/media/time_gaps.h"

#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>
#include <stdlib.h>
#include <string.h>

#define OPUS_CHANNEL_BITS_PER_SECOND 64000

/* ---- the filter graph: what the encoder takes, gaps filled ---- */

static int make_source(struct audio_track *track)
{
    char args[200];
    char layout[64];
    AVCodecContext *decoder = track->reader->audio_decoder;
    const AVRational base = track->reader->audio->time_base;
    if (decoder->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&decoder->ch_layout, decoder->ch_layout.nb_channels);
    (void)av_channel_layout_describe(&decoder->ch_layout, layout, sizeof(layout));
    (void)snprintf(args, sizeof(args),
                   "time_base=%d/%d:sample_rate=%d:sample_fmt=%d:channel_layout=%s", base.num,
                   base.den, decoder->sample_rate, (int)decoder->sample_fmt, layout);
    return avfilter_graph_create_filter(&track->source, avfilter_get_by_name("abuffer"), "in", args,
                                        NULL, track->graph);
}

static const char aac_filters[] =
    "aresample=async=1,aformat=sample_fmts=fltp:"
    "sample_rates=96000|88200|64000|48000|44100|32000|24000|22050|16000|12000|11025|8000:"
    "channel_layouts=mono|stereo|3.0|4.0|5.0|5.1|7.1";
static const char opus_filters[] = "aresample=async=1,aformat=sample_fmts=flt:sample_rates=48000:"
                                   "channel_layouts=mono|stereo|3.0|quad|5.0|5.1|6.1|7.1";

static int build_graph(struct audio_track *track, struct error *err)
{
    const bool opus = strcmp(track->library, "libopus") == 0;
    track->graph = avfilter_graph_alloc();
    if (track->graph == NULL)
        out_of_memory();
    track->graph->nb_threads = 1;
    int rc = make_source(track);
    if (rc >= 0)
        rc = avfilter_graph_create_filter(&track->sink, avfilter_get_by_name("abuffersink"), "out",
                                          NULL, NULL, track->graph);
    if (rc >= 0)
        rc = filter_graph_link(track->graph, track->source, track->sink,
                               opus ? opus_filters : aac_filters);
    return rc < 0 ? media_error(err, ERROR_DAMAGED, rc, "the sound does not fit %s", track->library)
                  : 0;
}

/* ---- opening ---- */

static int open_encoder(struct audio_track *track, struct error *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(track->library);
    if (codec == NULL)
        return error_set(err, ERROR_INTERNAL, "this FFmpeg has no %s", track->library);
    if (reader_decode_audio(track->reader, err) < 0 || build_graph(track, err) < 0)
        return -1;
    AVCodecContext *encoder = track->encoder = avcodec_alloc_context3(codec);
    track->filtered = av_frame_alloc();
    track->packet = av_packet_alloc();
    if (encoder == NULL || track->filtered == NULL || track->packet == NULL)
        out_of_memory();
    encoder->sample_fmt = av_buffersink_get_format(track->sink);
    encoder->sample_rate = av_buffersink_get_sample_rate(track->sink);
    (void)av_buffersink_get_ch_layout(track->sink, &encoder->ch_layout);
    encoder->time_base = (AVRational){1, encoder->sample_rate};
    /* aac's own default is 128 kbit/s a pair, 69 a single channel and 16 for the low one: it takes
     * half the time for 5.1 at those 342 that it takes at 384. */
    if (strcmp(track->library, "libopus") == 0)
        encoder->bit_rate = (int64_t)OPUS_CHANNEL_BITS_PER_SECOND * encoder->ch_layout.nb_channels;
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    int rc = avcodec_open2(encoder, codec, NULL);
    if (rc < 0)
        return media_error(err, ERROR_DAMAGED, rc, "%s does not take the sound", track->library);
    av_buffersink_set_frame_size(track->sink, (unsigned)encoder->frame_size);
    track->stream = output_add(track->output, encoder->time_base);
    rc = avcodec_parameters_from_context(track->stream->codecpar, encoder);
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "%s", track->library) : 0;
}

int audio_track_encode(struct reader *reader, struct output *output, const char *container,
                       struct audio_track *ret, struct error *err)
{
    ret->reader = reader;
    ret->output = output;
    ret->library = container_sound(container) == AV_CODEC_ID_OPUS ? "libopus" : "aac";
    return open_encoder(ret, err);
}

void audio_track_close(struct audio_track *track)
{
    avfilter_graph_free(&track->graph);
    avcodec_free_context(&track->encoder);
    av_frame_free(&track->filtered);
    av_packet_free(&track->packet);
}

/* ---- sound ---- */

static int encode(struct audio_track *track, const AVFrame *frame, struct error *err)
{
    int rc = avcodec_send_frame(track->encoder, frame);
    while (rc >= 0) {
        rc = avcodec_receive_packet(track->encoder, track->packet);
        if (rc < 0)
            break;
        track->packets++;
        if (output_write(track->output, track->stream, track->packet, track->encoder->time_base,
                         err) < 0)
            return -1;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : media_error(err, ERROR_INTERNAL, rc, "%s fails", track->library);
}

static int drain_graph(struct audio_track *track, struct error *err)
{
    int rc;
    while ((rc = av_buffersink_get_frame(track->sink, track->filtered)) >= 0) {
        track->filtered->pts =
            av_rescale_q(track->filtered->pts, av_buffersink_get_time_base(track->sink),
                         track->encoder->time_base);
        int result = encode(track, track->filtered, err);
        av_frame_unref(track->filtered);
        if (result < 0)
            return -1;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : media_error(err, ERROR_DAMAGED, rc, "the sound does not fit %s", track->library);
}

static int push(struct audio_track *track, AVFrame *frame, struct error *err)
{
    const AVRational base = track->reader->audio->time_base;
    track->begun = true;
    track->next_pts = av_sat_add64(
        frame->pts, av_rescale_q(frame->nb_samples, (AVRational){1, frame->sample_rate}, base));
    frame->pts = av_sat_sub64(frame->pts, track->offset);
    int rc = av_buffersrc_add_frame_flags(track->source, frame, 0);
    return rc < 0 ? media_error(err, ERROR_DAMAGED, rc, "the sound changes its form in the middle")
                  : drain_graph(track, err);
}

/* A second of it, in the form of that frame. */
static int push_silence(struct audio_track *track, const AVFrame *like, struct error *err)
{
    AVFrame *silence = av_frame_alloc();
    if (silence == NULL || av_channel_layout_copy(&silence->ch_layout, &like->ch_layout) < 0)
        out_of_memory();
    silence->format = like->format;
    silence->sample_rate = silence->nb_samples = like->sample_rate;
    silence->pts = track->next_pts;
    if (av_frame_get_buffer(silence, 0) < 0)
        out_of_memory();
    (void)av_samples_set_silence(silence->extended_data, 0, silence->nb_samples,
                                 silence->ch_layout.nb_channels, silence->format);
    int result = push(track, silence, err);
    av_frame_free(&silence);
    return result;
}

/* The filter would make all of it at once: 700 MB of half an hour. */
static int fill_gap(struct audio_track *track, const AVFrame *frame, struct error *err)
{
    const AVRational base = track->reader->audio->time_base;
    const int64_t second = av_rescale_q(1, (AVRational){1, 1}, base);
    if (!track->begun || second <= 0)
        return 0;
    const int64_t gap = av_sat_sub64(frame->pts, track->next_pts);
    if (gap / second > TIME_GAPS_FILLED_SECONDS)
        return error_set(err, ERROR_DAMAGED,
                         "input has no sound for %lld s in stream %d; at most %d s are filled with "
                         "silence",
                         (long long)(gap / second), track->reader->audio->index,
                         TIME_GAPS_FILLED_SECONDS);
    while (av_sat_sub64(frame->pts, track->next_pts) > second) {
        if (push_silence(track, frame, err) < 0)
            return -1;
    }
    return 0;
}

int audio_track_frame(struct audio_track *track, AVFrame *frame, struct error *err)
{
    if (frame->pts == AV_NOPTS_VALUE) /* several frames of one packet: it follows the one before */
        frame->pts = track->next_pts;
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&frame->ch_layout, frame->ch_layout.nb_channels);
    return fill_gap(track, frame, err) < 0 ? -1 : push(track, frame, err);
}

int audio_track_finish(struct audio_track *track, struct error *err)
{
    if (track->encoder == NULL)
        return 0;
    int rc = av_buffersrc_add_frame_flags(track->source, NULL, 0);
    if (rc < 0)
        return media_error(err, ERROR_INTERNAL, rc, "the sound cannot be finished");
    return drain_graph(track, err) < 0 ? -1 : encode(track, NULL, err);
}
