/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pictures through a chain of libavfilter's filters: any number in, any number out, in order. A
 * stream that changes its size or format in the middle gets a new chain; what the old one still
 * held comes out first. */
#ifndef BATCHD_PROCESSORS_MEDIA_PICTURE_GRAPH_H
#define BATCHD_PROCESSORS_MEDIA_PICTURE_GRAPH_H

#include "common/error.h"

#include <libavfilter/avfilter.h>

struct picture_graph {
    /* by the caller */
    const char *filters;  /* borrowed */
    AVRational time_base; /* of the frames that are put in */
    AVRational rate;      /* of them, as the file says; 0/0: unknown or variable */
    unsigned threads;
    int (*take)(void *arg, AVFrame *frame, AVRational time_base, struct error *err);
    void *arg;
    /* own; zeroed */
    AVFilterGraph *graph;
    AVFilterContext *source, *sink; /* borrowed from graph */
    AVFrame *filtered;
    int width, height, format;
    int64_t end; /* of the last frame that was put in, by its pkt_duration */
};

/* The frame's content is referenced, not taken; its pkt_duration counts when it is the last. */
int picture_graph_push(struct picture_graph *graph, AVFrame *frame, struct error *err);
/* What it still holds comes out. */
int picture_graph_finish(struct picture_graph *graph, struct error *err);
void picture_graph_close(struct picture_graph *graph);

#endif
