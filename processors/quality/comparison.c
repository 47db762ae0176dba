/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/comparison.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/media_log.h"
#include "processors/media/rotation.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what both are brought to ---- */

/* That the filters take; the first of those that lose nothing is chosen by libavcodec. */
static const enum AVPixelFormat formats[] = {
    AV_PIX_FMT_YUV420P,   AV_PIX_FMT_YUV422P,   AV_PIX_FMT_YUV444P,   AV_PIX_FMT_YUVJ420P,
    AV_PIX_FMT_YUVJ422P,  AV_PIX_FMT_YUVJ444P,  AV_PIX_FMT_YUV440P,   AV_PIX_FMT_YUV411P,
    AV_PIX_FMT_YUV410P,   AV_PIX_FMT_YUV420P10, AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV444P10,
    AV_PIX_FMT_YUV420P12, AV_PIX_FMT_YUV422P12, AV_PIX_FMT_YUV444P12, AV_PIX_FMT_GBRP,
    AV_PIX_FMT_GBRP10,    AV_PIX_FMT_GBRP12,    AV_PIX_FMT_GRAY8,     AV_PIX_FMT_NONE};

static struct frame_shape shape_of(const AVFrame *frame)
{
    const enum AVPixelFormat format = (enum AVPixelFormat)frame->format;
    const bool is_full = format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P ||
                         format == AV_PIX_FMT_YUVJ444P || frame->color_range == AVCOL_RANGE_JPEG;
    return (struct frame_shape){
        .width = frame->width, .height = frame->height, .format = format, .full_range = is_full};
}

static bool is_same(const struct frame_shape *a, const struct frame_shape *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format &&
           a->full_range == b->full_range;
}

/* As it is shown. */
static struct frame_shape turned(const struct comparison *comparison, int side)
{
    struct frame_shape shape = comparison->shapes[side];
    if (rotation_is_sideways(comparison->matrices[side])) {
        const int width = shape.width;
        shape.width = shape.height;
        shape.height = width;
    }
    return shape;
}

static int check_sizes(const struct comparison *comparison, struct error *err)
{
    const struct frame_shape reference = turned(comparison, REFERENCE);
    const struct frame_shape distorted = turned(comparison, DISTORTED);
    if (comparison->options->scale ||
        (reference.width == distorted.width && reference.height == distorted.height))
        return 0;
    return error_set(err, ERROR_DAMAGED,
                     "reference is %dx%d and distorted is %dx%d at pair %lld; align scale or both "
                     "scales the distorted",
                     reference.width, reference.height, distorted.width, distorted.height,
                     (long long)comparison->pairs);
}

/* ---- the filter graph ---- */

/* From the decoded frames of a side to those compared: source, turning, format. */
static char *branch(const struct comparison *comparison, int side, enum AVPixelFormat format)
{
    const struct frame_shape *is = &comparison->shapes[side];
    const struct frame_shape reference = turned(comparison, REFERENCE);
    struct frame_shape shown = turned(comparison, side);
    CLEANUP_FREE char *scale = NULL;
    shown.format = comparison->shapes[REFERENCE].format;
    if (side == DISTORTED && (!is_same(&shown, &reference) || is->format != reference.format))
        scale = xasprintf("scale=%d:%d:flags=bicubic:in_range=%s:out_range=%s,", reference.width,
                          reference.height, is->full_range ? "pc" : "tv",
                          reference.full_range ? "pc" : "tv");
    return xasprintf("buffer@in%d=video_size=%dx%d:pix_fmt=%d:time_base=1/1000000,%s%sformat=%s",
                     side, is->width, is->height, (int)is->format,
                     rotation_filters(comparison->matrices[side]), scale == NULL ? "" : scale,
                     av_get_pix_fmt_name(format));
}

static char *describe_graph(const struct comparison *comparison)
{
    const enum AVPixelFormat format =
        avcodec_find_best_pix_fmt_of_list(formats, comparison->shapes[REFERENCE].format, 0, NULL);
    CLEANUP_FREE char *reference = branch(comparison, REFERENCE, format);
    CLEANUP_FREE char *distorted = branch(comparison, DISTORTED, format);
    const bool *wanted = comparison->options->wanted;
    if (wanted[METRIC_PSNR] && wanted[METRIC_SSIM])
        return xasprintf("%s,split[a][b];%s[d];[d][a]ssim[s];[s][b]psnr,buffersink@out", reference,
                         distorted);
    return xasprintf("%s[a];%s[d];[d][a]%s,buffersink@out", reference, distorted,
                     wanted[METRIC_PSNR] ? "psnr" : "ssim");
}

static int build_graph(struct comparison *comparison, struct error *err)
{
    CLEANUP_FREE char *description = describe_graph(comparison);
    avfilter_graph_free(&comparison->graph);
    comparison->graph = avfilter_graph_alloc();
    if (comparison->graph == NULL)
        out_of_memory();
    comparison->graph->nb_threads = (int)comparison->threads;
    int rc = avfilter_graph_parse_ptr(comparison->graph, description, NULL, NULL, NULL);
    if (rc >= 0)
        rc = avfilter_graph_config(comparison->graph, NULL);
    if (rc < 0)
        return media_error(err, ERROR_DAMAGED, rc, "the frames of %dx%d cannot be compared",
                           comparison->shapes[REFERENCE].width,
                           comparison->shapes[REFERENCE].height);
    comparison->sources[REFERENCE] = avfilter_graph_get_filter(comparison->graph, "buffer@in0");
    comparison->sources[DISTORTED] = avfilter_graph_get_filter(comparison->graph, "buffer@in1");
    comparison->sink = avfilter_graph_get_filter(comparison->graph, "buffersink@out");
    return 0;
}

void comparison_close(struct comparison *comparison)
{
    avfilter_graph_free(&comparison->graph);
    av_frame_free(&comparison->compared);
}

/* ---- scores ---- */

static bool read_value(const AVDictionary *metadata, const char *key, double *ret)
{
    const AVDictionaryEntry *entry = av_dict_get(metadata, key, NULL, 0);
    if (entry != NULL)
        *ret = strtod(entry->value, NULL); /* "inf" too */
    return entry != NULL;
}

/* The planes' values are there as lavfi.ssim.Y, lavfi.psnr.psnr.y and so on. */
static bool read_score(const AVDictionary *metadata, const char *prefix, const char *all,
                       const char *names, struct score *ret)
{
    char key[40];
    ret->planes = 0;
    for (; *names != '\0' && ret->planes < SCORES_PLANES_MAX; names++) {
        (void)snprintf(key, sizeof(key), "%s%c", prefix, *names);
        ret->plane_names[ret->planes] = (char)(*names | 0x20); /* in lower case */
        if (read_value(metadata, key, &ret->plane[ret->planes]))
            ret->planes++;
    }
    return read_value(metadata, all, &ret->all);
}

static int take_scores(struct comparison *comparison, struct error *err)
{
    const bool *wanted = comparison->options->wanted;
    const AVDictionary *metadata = comparison->compared->metadata;
    struct frame_scores scores = {
        .time_us = av_rescale_q(comparison->compared->pts,
                                av_buffersink_get_time_base(comparison->sink), AV_TIME_BASE_Q)};
    if ((wanted[METRIC_PSNR] && !read_score(metadata, "lavfi.psnr.psnr.", "lavfi.psnr.psnr_avg",
                                            "yuvrgba", &scores.of[METRIC_PSNR])) ||
        (wanted[METRIC_SSIM] && !read_score(metadata, "lavfi.ssim.", "lavfi.ssim.All", "YUVRGBA",
                                            &scores.of[METRIC_SSIM])))
        return error_set(err, ERROR_INTERNAL, "libavfilter gave no value for a pair of frames");
    return comparison->take(comparison->arg, &scores, err);
}

static int drain(struct comparison *comparison, struct error *err)
{
    int rc;
    while ((rc = av_buffersink_get_frame(comparison->sink, comparison->compared)) >= 0) {
        int result = take_scores(comparison, err);
        av_frame_unref(comparison->compared);
        if (result < 0)
            return -1;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : media_error(err, ERROR_INTERNAL, rc, "pair %lld cannot be compared",
                             (long long)comparison->pairs);
}

static int put(struct comparison *comparison, int side, AVFrame *frame, struct error *err)
{
    int rc = av_buffersrc_add_frame_flags(comparison->sources[side], frame,
                                          AV_BUFFERSRC_FLAG_KEEP_REF | AV_BUFFERSRC_FLAG_PUSH);
    return rc < 0 ? media_error(err, ERROR_INTERNAL, rc, "pair %lld cannot be compared",
                                (long long)comparison->pairs)
                  : 0;
}

/* A still picture has its matrix with the frame. That of a video's frames is not what the container
 * says, and players do not turn by it. */
static void take_matrices(struct comparison *comparison, AVFrame *frames[SIDE_COUNT])
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        const AVFrameSideData *data =
            av_frame_get_side_data(frames[side], AV_FRAME_DATA_DISPLAYMATRIX);
        if (comparison->is_still[side] && data != NULL)
            memcpy(comparison->still_matrices[side], data->data,
                   sizeof(comparison->still_matrices[side]));
        if (comparison->is_still[side] && data != NULL)
            comparison->matrices[side] = comparison->still_matrices[side];
    }
}

/* A stream may change its size or format in the middle. */
static int settle_graph(struct comparison *comparison, AVFrame *frames[SIDE_COUNT],
                        struct error *err)
{
    const struct frame_shape reference = shape_of(frames[REFERENCE]);
    const struct frame_shape distorted = shape_of(frames[DISTORTED]);
    if (comparison->graph != NULL && is_same(&reference, &comparison->shapes[REFERENCE]) &&
        is_same(&distorted, &comparison->shapes[DISTORTED]))
        return 0;
    if (comparison_finish(comparison, err) < 0)
        return -1;
    take_matrices(comparison, frames);
    comparison->shapes[REFERENCE] = reference;
    comparison->shapes[DISTORTED] = distorted;
    return check_sizes(comparison, err) < 0 ? -1 : build_graph(comparison, err);
}

int comparison_pair(struct comparison *comparison, AVFrame *frames[SIDE_COUNT], int64_t time_us,
                    struct error *err)
{
    if (comparison->compared == NULL)
        comparison->compared = av_frame_alloc();
    if (comparison->compared == NULL)
        out_of_memory();
    if (settle_graph(comparison, frames, err) < 0)
        return -1;
    for (int side = 0; side < SIDE_COUNT; side++) {
        frames[side]->pts = time_us;
        if (put(comparison, side, frames[side], err) < 0)
            return -1;
    }
    comparison->pairs++;
    return drain(comparison, err);
}

int comparison_finish(struct comparison *comparison, struct error *err)
{
    if (comparison->graph == NULL)
        return 0;
    return put(comparison, REFERENCE, NULL, err) < 0 || put(comparison, DISTORTED, NULL, err) < 0
               ? -1
               : drain(comparison, err);
}
