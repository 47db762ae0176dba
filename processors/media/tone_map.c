/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/tone_map.h"

#include "common/alloc.h"
#include "processors/media/picture_graph.h"

#include <libavfilter/avfilter.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>

/* cd/m2. What a sheet of paper has in HDR (ITU-R BT.2408), and white in ordinary pictures. */
#define WHITE 203.0
/* ... and the brightest that is expected where the film does not tell: of HLG by its definition. */
#define PEAK_UNKNOWN 1000.0
/* Of white: below it nothing is changed; above it is bent so that the peak becomes white. */
#define BEND 0.8
/* Light is counted in numbers of 32 bits, three a pixel, by three filters: of a picture of 4K at
 * once that is 300 MB. */
#define ROWS 64
#define PLANES 3

/* In parts of white. */
static double peak_of(const struct colour *colour)
{
    double peak = PEAK_UNKNOWN;
    if (colour->has_light && colour->light.MaxCLL > 0)
        peak = colour->light.MaxCLL;
    else if (colour->has_mastering)
        peak = av_q2d(colour->mastering.max_luminance);
    return peak > WHITE ? peak / WHITE : 1;
}

/* Of a matrix that depends on the light, of Dolby's colours and of RGB zscale makes other ones. */
bool tone_map_can(const struct colour *colour)
{
    return colour_is_hdr(colour) &&
           (colour->primaries == AVCOL_PRI_BT2020 || colour->primaries == AVCOL_PRI_UNSPECIFIED) &&
           (colour->space == AVCOL_SPC_BT2020_NCL || colour->space == AVCOL_SPC_UNSPECIFIED) &&
           avfilter_get_by_name("zscale") != NULL && avfilter_get_by_name("tonemap") != NULL;
}

/* zscale counts light in parts of its npl. The film's words are said anew: a frame may lack them.
 * What comes out has the curve of sRGB, as stills are shown. */
static void name_filters(const struct colour *colour, char *ret, size_t bytes)
{
    (void)snprintf(ret, bytes,
                   "setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc=%s:range=tv,"
                   "zscale=t=linear:p=bt709:npl=%.0f,format=gbrpf32le,"
                   "tonemap=mobius:param=%.1f:peak=%.3f:desat=0,zscale=t=bt709,format=gbrp,"
                   "setparams=color_trc=iec61966-2-1",
                   av_color_transfer_name(colour->transfer), WHITE, BEND, peak_of(colour));
}

struct mapping {
    AVFrame *made;
    int row; /* the next one of it */
};

static int on_rows(void *arg, AVFrame *rows, AVRational time_base, struct error *err)
{
    struct mapping *mapping = arg;
    AVFrame *made = mapping->made;
    (void)time_base;
    (void)err;
    for (int i = 0; i < PLANES; i++)
        av_image_copy_plane(made->data[i] + (ptrdiff_t)mapping->row * made->linesize[i],
                            made->linesize[i], rows->data[i], rows->linesize[i], rows->width,
                            FFMIN(rows->height, made->height - mapping->row));
    mapping->row += rows->height;
    return 0;
}

/* As a picture of its own, whose data is borrowed. */
static int push_rows(struct picture_graph *graph, const AVFrame *picture, int row,
                     struct error *err)
{
    AVFrame *rows = av_frame_clone(picture);
    if (rows == NULL)
        out_of_memory();
    rows->height = FFMIN(ROWS, picture->height - row);
    rows->pts = row;
    for (int i = 0; i < PLANES; i++)
        rows->data[i] += (ptrdiff_t)row * rows->linesize[i];
    const int result = picture_graph_push(graph, rows, err);
    av_frame_free(&rows);
    return result;
}

/* With what it tells of itself, but its colours. */
static AVFrame *make_like(const AVFrame *picture)
{
    AVFrame *made = av_frame_alloc();
    if (made == NULL)
        out_of_memory();
    made->format = AV_PIX_FMT_GBRP;
    made->width = picture->width;
    made->height = picture->height;
    if (av_frame_get_buffer(made, 0) < 0)
        out_of_memory();
    made->pts = picture->pts;
    made->sample_aspect_ratio = picture->sample_aspect_ratio;
    made->color_range = AVCOL_RANGE_JPEG;
    made->colorspace = AVCOL_SPC_RGB;
    made->color_primaries = AVCOL_PRI_BT709;
    made->color_trc = AVCOL_TRC_IEC61966_2_1;
    return made;
}

int tone_map_picture(const AVFrame *picture, const struct colour *colour, AVFrame **ret,
                     struct error *err)
{
    char filters[500];
    struct mapping mapping = {.made = make_like(picture)};
    struct picture_graph graph = {
        .filters = filters, .time_base = {1, 1}, .threads = 1, .take = on_rows, .arg = &mapping};
    int result = 0;
    name_filters(colour, filters, sizeof(filters));
    for (int row = 0; result == 0 && row < picture->height; row += ROWS)
        result = push_rows(&graph, picture, row, err);
    if (result == 0)
        result = picture_graph_finish(&graph, err);
    picture_graph_close(&graph);
    if (result == 0 && mapping.row < picture->height)
        result = error_set(err, ERROR_INTERNAL, "light was mapped in %d of %d rows", mapping.row,
                           picture->height);
    if (result == 0)
        *ret = mapping.made;
    else
        av_frame_free(&mapping.made);
    return result;
}
