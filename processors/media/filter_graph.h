/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The part of a filter graph that pictures and sound share: the filters between source and sink. */
#ifndef BATCHD_PROCESSORS_MEDIA_FILTER_GRAPH_H
#define BATCHD_PROCESSORS_MEDIA_FILTER_GRAPH_H

#include <libavfilter/avfilter.h>

/* Puts `filters` (libavfilter's chain syntax) between source and sink, both already in the graph,
 * and configures it. 0 or more, or an AVERROR. */
int filter_graph_link(AVFilterGraph *graph, AVFilterContext *source, AVFilterContext *sink,
                      const char *filters);

#endif
