/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/filter_graph.h"

#include "common/alloc.h"

#include <libavutil/mem.h>
#include <stdlib.h>

int filter_graph_link(AVFilterGraph *graph, AVFilterContext *source, AVFilterContext *sink,
                      const char *filters)
{
    AVFilterInOut *from = avfilter_inout_alloc();
    AVFilterInOut *to = avfilter_inout_alloc();
    if (from == NULL || to == NULL)
        out_of_memory();
    from->name = av_strdup("in");
    from->filter_ctx = source;
    to->name = av_strdup("out");
    to->filter_ctx = sink;
    int rc = avfilter_graph_parse_ptr(graph, filters, &to, &from, NULL);
    avfilter_inout_free(&from);
    avfilter_inout_free(&to);
    return rc < 0 ? rc : avfilter_graph_config(graph, NULL);
}
