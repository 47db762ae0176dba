/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/video_track.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/request.h"
#include "processors/media/filter_graph.h"
#include "processors/media/media_log.h"
#include "processors/media/output.h"
#include "processors/media/reader.h"

#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <string.h>

/* ---- the filter graph ---- */

static int make_source(struct video_track *track, const AVFrame *shape, char *args, size_t bytes)
{
    AVRational base = track->reader->video->time_base;
    AVRational pixel = shape->sample_aspect_ratio;
    (void)snprintf(args, bytes, "video_size=%dx%d:pix_fmt=%d:time_base=%d/%d:pixel_aspect=%d/%d",
                   shape->width, shape->height, shape->format, base.num, base.den, pixel.num,
                   pixel.den > 0 ? pixel.den : 1);
    track->source_width = shape->width;
    track->source_height = shape->height;
    track->source_format = shape->format;
    return avfilter_graph_create_filter(&track->source, avfilter_get_by_name("buffer"), "in", args,
                                        NULL, track->graph);
}

/* For pictures like `shape`. The filters keep no memory of earlier frames, so that a stream that
 * changes its size gets a new graph and loses nothing. */
static int build_graph(struct video_track *track, const AVFrame *shape, struct error *err)
{
    char args[160];
    avfilter_graph_free(&track->graph);
    track->graph = avfilter_graph_alloc();
    if (track->graph == NULL)
        out_of_memory();
    track->graph->nb_threads = (int)track->threads;
    int rc = make_source(track, shape, args, sizeof(args));
    if (rc >= 0)
        rc = avfilter_graph_create_filter(&track->sink, avfilter_get_by_name("buffersink"), "out",
                                          NULL, NULL, track->graph);
    if (rc >= 0)
        rc = filter_graph_link(track->graph, track->source, track->sink, track->geometry.filters);
    return rc < 0 ? media_error(err, ERROR_DAMAGED, rc, "pictures of %dx%d cannot be scaled",
                                shape->width, shape->height)
                  : 0;
}

/* ---- the encoder ---- */

static void set_encoder(struct video_track *track, const struct request *request)
{
    AVCodecContext *encoder = track->encoder;
    const AVCodecParameters *is = track->reader->video->codecpar;
    encoder->width = track->geometry.width;
    encoder->height = track->geometry.height;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = track->reader->video->time_base;
    encoder->framerate = av_guess_frame_rate(track->reader->format, track->reader->video, NULL);
    encoder->sample_aspect_ratio = av_buffersink_get_sample_aspect_ratio(track->sink);
    encoder->color_range = AVCOL_RANGE_MPEG;
    encoder->color_primaries = is->color_primaries;
    encoder->color_trc = is->color_trc;
    encoder->colorspace =
        is->color_space == AVCOL_SPC_RGB ? AVCOL_SPC_UNSPECIFIED : is->color_space;
    encoder->chroma_sample_location = is->chroma_location;
    encoder->thread_count = (int)track->threads;
    encoder->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    (void)av_opt_set(encoder->priv_data, "preset", request_string(request, "preset", "medium"), 0);
    (void)av_opt_set_double(encoder->priv_data, "crf", request_int(request, "crf", 23), 0);
}

static int open_encoder(struct video_track *track, const struct request *request, struct error *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (codec == NULL)
        return error_set(err, ERROR_INTERNAL, "this FFmpeg has no libx264");
    track->encoder = avcodec_alloc_context3(codec);
    if (track->encoder == NULL)
        out_of_memory();
    set_encoder(track, request);
    int rc = avcodec_open2(track->encoder, codec, NULL);
    if (rc < 0)
        return media_error(err, ERROR_INTERNAL, rc, "libx264 refuses %dx%d pictures",
                           track->geometry.width, track->geometry.height);
    rc = avcodec_parameters_from_context(track->stream->codecpar, track->encoder);
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "libx264") : 0;
}

static void set_stream(struct video_track *track)
{
    const struct reader *reader = track->reader;
    track->stream->avg_frame_rate = reader->video->avg_frame_rate;
    track->stream->sample_aspect_ratio = track->encoder->sample_aspect_ratio;
    (void)av_dict_copy(&track->stream->metadata, reader->video->metadata, 0);
    (void)av_dict_set(&track->stream->metadata, "encoder", NULL, 0);
    if (!track->geometry.keep_matrix)
        return;
    uint8_t *copy =
        av_stream_new_side_data(track->stream, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
    if (copy == NULL)
        out_of_memory();
    memcpy(copy, reader_display_matrix(reader), 9 * sizeof(int32_t));
}

int video_track_open(const struct request *request, const struct reader *reader,
                     struct output *output, struct video_track *ret, struct error *err)
{
    const AVCodecParameters *is = reader->video->codecpar;
    /* Not a frame, its shape. Formats are told by the first frame where the header does not. */
    const AVFrame shape = {.width = is->width,
                           .height = is->height,
                           .format = is->format < 0 ? AV_PIX_FMT_YUV420P : is->format,
                           .sample_aspect_ratio =
                               av_guess_sample_aspect_ratio(reader->format, reader->video, NULL)};
    ret->reader = reader;
    ret->output = output;
    ret->threads = request->cpus;
    ret->filtered = av_frame_alloc();
    ret->packet = av_packet_alloc();
    if (ret->filtered == NULL || ret->packet == NULL)
        out_of_memory();
    if (geometry_plan(request, reader, &ret->geometry, err) < 0 ||
        build_graph(ret, &shape, err) < 0)
        return -1;
    ret->stream = output_add(output, reader->video->time_base);
    if (open_encoder(ret, request, err) < 0)
        return -1;
    set_stream(ret);
    return 0;
}

void video_track_close(struct video_track *track)
{
    avfilter_graph_free(&track->graph);
    avcodec_free_context(&track->encoder);
    av_frame_free(&track->filtered);
    av_packet_free(&track->packet);
    free(track->times);
}

/* ---- frames ---- */

static void note_time(struct video_track *track, int64_t pts, int64_t duration)
{
    if (track->count == track->room) {
        track->room = track->room == 0 ? 1024 : 2 * track->room;
        track->times = xreallocarray(track->times, track->room, sizeof(*track->times));
    }
    track->times[track->count++] = (struct frame_time){.pts = pts, .duration = duration};
}

static int by_pts(const void *left, const void *right)
{
    const struct frame_time *a = left;
    const struct frame_time *b = right;
    return (a->pts > b->pts) - (a->pts < b->pts);
}

/* The encoder does not hand durations on, and the last one makes the length of the file. */
static int64_t duration_at(const struct video_track *track, int64_t pts)
{
    const struct frame_time key = {.pts = pts};
    const struct frame_time *found =
        bsearch(&key, track->times, track->count, sizeof(*track->times), by_pts);
    return found == NULL ? 0 : found->duration;
}

static int encode(struct video_track *track, const AVFrame *frame, struct error *err)
{
    int rc = avcodec_send_frame(track->encoder, frame);
    while (rc >= 0) {
        rc = avcodec_receive_packet(track->encoder, track->packet);
        if (rc < 0)
            break;
        track->packets++;
        track->packet->duration = duration_at(track, track->packet->pts);
        if (output_write(track->output, track->stream, track->packet, track->encoder->time_base,
                         err) < 0)
            return -1;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : media_error(err, ERROR_INTERNAL, rc, "libx264 fails at frame %zu", track->count);
}

int video_track_frame(struct video_track *track, AVFrame *frame, struct error *err)
{
    if ((frame->width != track->source_width || frame->height != track->source_height ||
         frame->format != track->source_format) &&
        build_graph(track, frame, err) < 0)
        return -1;
    if (track->count == 0 && frame->pts < track->offset)
        track->offset = frame->pts; /* MP4 would cut off what lies before 0 */
    frame->pts -= track->offset;
    note_time(track, frame->pts, frame->pkt_duration);
    int rc = av_buffersrc_add_frame_flags(track->source, frame, AV_BUFFERSRC_FLAG_PUSH);
    if (rc >= 0)
        rc = av_buffersink_get_frame(track->sink, track->filtered);
    if (rc < 0)
        return media_error(err, ERROR_INTERNAL, rc, "frame %zu cannot be scaled", track->count);
    int result = encode(track, track->filtered, err);
    av_frame_unref(track->filtered);
    return result;
}

int video_track_finish(struct video_track *track, struct error *err)
{
    return encode(track, NULL, err);
}
