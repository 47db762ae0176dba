/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/scenes.h"

#include "common/cleanup.h"
#include "processors/media/picture_graph.h"
#include "processors/media/reader.h"

/* scdet and minterpolate have the same measure, and the same threshold if none is given. */
static const char filters[] = "format=yuv420p,scdet";

static int on_filtered(void *arg, AVFrame *frame, AVRational time_base, struct error *err)
{
    int64_t *cuts = arg;
    (void)time_base;
    (void)err;
    *cuts += av_dict_get(frame->metadata, "lavfi.scd.time", NULL, 0) != NULL;
    return 0;
}

static int on_frame(void *arg, AVFrame *frame, struct error *err)
{
    return picture_graph_push(arg, frame, err);
}

int scenes_count(const char *path, unsigned cpus, int64_t *ret_cuts, struct error *err)
{
    CLEANUP(reader_close) struct reader reader = {0};
    CLEANUP(picture_graph_close)
    struct picture_graph graph = {
        .filters = filters, .threads = cpus, .take = on_filtered, .arg = ret_cuts};
    const struct reader_calls calls = {.video = on_frame, .arg = &graph};
    *ret_cuts = 0;
    if (reader_open(path, "input", cpus, &reader, err) < 0)
        return -1;
    reader.progress_to = 0;
    graph.time_base = reader.video->time_base;
    return reader_run(&reader, &calls, err) < 0 ? -1 : picture_graph_finish(&graph, err);
}
