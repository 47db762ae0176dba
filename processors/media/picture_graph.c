/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/picture_graph.h"

#include "common/alloc.h"
#include "processors/media/filter_graph.h"
#include "processors/media/media_log.h"

#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <stdio.h>

static int make_source(struct picture_graph *graph, const AVFrame *shape)
{
    char args[200];
    const AVRational pixel = shape->sample_aspect_ratio;
    const AVRational rate = graph->rate;
    int used = snprintf(args, sizeof(args),
                        "video_size=%dx%d:pix_fmt=%d:time_base=%d/%d:pixel_aspect=%d/%d",
                        shape->width, shape->height, shape->format, graph->time_base.num,
                        graph->time_base.den, pixel.num, pixel.den > 0 ? pixel.den : 1);
    if (rate.num > 0 && rate.den > 0)
        (void)snprintf(args + used, sizeof(args) - (size_t)used, ":frame_rate=%d/%d", rate.num,
                       rate.den);
    graph->width = shape->width;
    graph->height = shape->height;
    graph->format = shape->format;
    return avfilter_graph_create_filter(&graph->source, avfilter_get_by_name("buffer"), "in", args,
                                        NULL, graph->graph);
}

static int build(struct picture_graph *graph, const AVFrame *shape, struct error *err)
{
    avfilter_graph_free(&graph->graph);
    graph->graph = avfilter_graph_alloc();
    if (graph->filtered == NULL)
        graph->filtered = av_frame_alloc();
    if (graph->graph == NULL || graph->filtered == NULL)
        out_of_memory();
    graph->graph->nb_threads = (int)graph->threads;
    int rc = make_source(graph, shape);
    if (rc >= 0)
        rc = avfilter_graph_create_filter(&graph->sink, avfilter_get_by_name("buffersink"), "out",
                                          NULL, NULL, graph->graph);
    if (rc >= 0)
        rc = filter_graph_link(graph->graph, graph->source, graph->sink, graph->filters);
    return rc < 0
               ? media_error(err, ERROR_DAMAGED, rc, "pictures of %dx%d do not go through \"%s\"",
                             shape->width, shape->height, graph->filters)
               : 0;
}

static int drain(struct picture_graph *graph, struct error *err)
{
    int rc;
    while ((rc = av_buffersink_get_frame(graph->sink, graph->filtered)) >= 0) {
        int result =
            graph->take(graph->arg, graph->filtered, av_buffersink_get_time_base(graph->sink), err);
        av_frame_unref(graph->filtered);
        if (result < 0)
            return -1;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : media_error(err, ERROR_INTERNAL, rc, "\"%s\" fails", graph->filters);
}

int picture_graph_finish(struct picture_graph *graph, struct error *err)
{
    if (graph->graph == NULL)
        return 0;
    int rc = av_buffersrc_close(graph->source, graph->end, AV_BUFFERSRC_FLAG_PUSH);
    return rc < 0
               ? media_error(err, ERROR_INTERNAL, rc, "\"%s\" cannot be finished", graph->filters)
               : drain(graph, err);
}

int picture_graph_push(struct picture_graph *graph, AVFrame *frame, struct error *err)
{
    if (graph->graph == NULL || frame->width != graph->width || frame->height != graph->height ||
        frame->format != graph->format) {
        if (picture_graph_finish(graph, err) < 0 || build(graph, frame, err) < 0)
            return -1;
    }
    graph->end = frame->pts + frame->pkt_duration;
    int rc = av_buffersrc_add_frame_flags(graph->source, frame,
                                          AV_BUFFERSRC_FLAG_PUSH | AV_BUFFERSRC_FLAG_KEEP_REF);
    return rc < 0 ? media_error(err, ERROR_INTERNAL, rc, "\"%s\" fails", graph->filters)
                  : drain(graph, err);
}

void picture_graph_close(struct picture_graph *graph)
{
    avfilter_graph_free(&graph->graph);
    av_frame_free(&graph->filtered);
}
