/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/geometry.h"

#include "processors/lib/request.h"
#include "processors/media/colour.h"
#include "processors/media/reader.h"
#include "processors/media/rotation.h"

#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

static int even(int64_t size)
{
    size = size / 2 * 2;
    return size < 2 ? 2 : size > GEOMETRY_SIDE_MAX ? GEOMETRY_SIDE_MAX : (int)size;
}

static int check_even(const char *name, int size, struct error *err)
{
    char field[ERROR_FIELD_BYTES];
    (void)snprintf(field, sizeof(field), "params.%s", name);
    return size % 2 == 0
               ? 0
               : error_set_field(err, field, "params.%s is %d; it must be even", name, size);
}

struct size {
    int width, height;
};

/* What the scale filter makes of the input's pixels: the shape as shown stays. `from` is the size
 * before it, in the orientation of the output. */
static AVRational aspect_of(const struct reader *reader, struct size from,
                            const struct geometry *to)
{
    const bool turned = !to->keep_matrix && rotation_is_sideways(reader_display_matrix(reader));
    AVRational pixel = av_guess_sample_aspect_ratio(reader->format, reader->video, NULL);
    if (pixel.num <= 0 || pixel.den <= 0)
        return (AVRational){1, 1};
    if (turned)
        pixel = av_inv_q(pixel);
    AVRational shown;
    (void)av_reduce(&shown.num, &shown.den, (int64_t)pixel.num * from.width * to->height,
                    (int64_t)pixel.den * from.height * to->width, 1 << 16);
    return shown;
}

/* WIDTHxHEIGHT+X+Y of the picture as shown; what is cut out takes its place in *shown. */
static int plan_crop(const struct request *request, struct size *shown, struct geometry *ret,
                     struct error *err)
{
    struct size to;
    int x;
    int y;
    int end = 0;
    const char *text = request_string(request, "crop", NULL);
    if (text == NULL)
        return 0;
    /* NOLINTNEXTLINE(cert-err34-c): bounded by %6d, checked below */
    if (sscanf(text, "%6dx%6d+%6d+%6d%n", &to.width, &to.height, &x, &y, &end) != 4 ||
        text[end] != '\0' || to.width < 2 || to.height < 2 || x < 0 || y < 0)
        return error_set_field(
            err, "params.crop",
            "params.crop is \"%.100s\"; it must be WIDTHxHEIGHT+X+Y, as 640x360+0+60", text);
    if (x + to.width > shown->width || y + to.height > shown->height)
        return error_set_field(err, "params.crop",
                               "params.crop is \"%.100s\"; the picture has %dx%d", text,
                               shown->width, shown->height);
    if (ret->keep_matrix)
        return error_set_field(
            err, "params.crop",
            "params.crop is given with a display matrix that is kept; crop wants rotation apply");
    (void)snprintf(ret->crop, sizeof(ret->crop), "crop=%d:%d:%d:%d:exact=1,", to.width, to.height,
                   x, y);
    *shown = to;
    return 0;
}

static void plan_size(const struct request *request, struct size shown, struct size *ret)
{
    const int width = request_int(request, "width", 0);
    const int height = request_int(request, "height", 0);
    ret->width = width > 0    ? width
                 : height > 0 ? even(av_rescale(shown.width, height, shown.height) + 1)
                              : even(shown.width);
    ret->height = height > 0  ? height
                  : width > 0 ? even(av_rescale(shown.height, width, shown.width) + 1)
                              : even(shown.height);
}

/* A film keeps its matrix; of RGB it becomes that of HDTV, which the output tells. JPEG has that of
 * BT.601, always. */
static const char *matrix_option(enum AVPixelFormat source, enum AVPixelFormat format)
{
    if (format == AV_PIX_FMT_YUVJ420P)
        return ":out_color_matrix=bt601";
    return colour_is_rgb(source) && !colour_is_rgb(format) ? ":out_color_matrix=bt709" : "";
}

int geometry_plan(const struct request *request, const struct reader *reader,
                  enum AVPixelFormat format, struct geometry *ret, struct error *err)
{
    const int32_t *matrix = reader_display_matrix(reader);
    const bool sideways = rotation_is_sideways(matrix);
    const AVCodecParameters *is = reader->video->codecpar;
    const bool both = request_int(request, "width", 0) > 0 && request_int(request, "height", 0) > 0;
    struct size shown = {sideways ? is->height : is->width, sideways ? is->width : is->height};
    struct size size;
    const bool still = format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_RGB24;
    if (check_even("width", request_int(request, "width", 0), err) < 0 ||
        check_even("height", request_int(request, "height", 0), err) < 0)
        return -1;
    ret->keep_matrix =
        matrix != NULL && (!rotation_is_quarters(matrix) ||
                           strcmp(request_string(request, "rotation", "apply"), "keep") == 0);
    if (plan_crop(request, &shown, ret, err) < 0)
        return -1;
    plan_size(request, shown, &size);
    const bool laid = ret->keep_matrix && sideways;
    ret->width = laid ? size.height : size.width;
    ret->height = laid ? size.width : size.height;
    if (laid)
        shown = (struct size){shown.height, shown.width};
    ret->pixel_aspect = both ? (AVRational){1, 1} : aspect_of(reader, shown, ret);
    (void)snprintf(ret->turn, sizeof(ret->turn), "%s",
                   ret->keep_matrix ? "" : rotation_filters(matrix));
    /* Still pictures have the full range. Players take 4:2:0 of limited range for granted. Both
     * sizes given: square pixels. */
    (void)snprintf(ret->scale, sizeof(ret->scale),
                   "scale=%d:%d:flags=bicubic:out_range=%s%s,setsar=%d/%d,format=%s", ret->width,
                   ret->height, still ? "pc" : "tv", matrix_option(is->format, format),
                   ret->pixel_aspect.num, ret->pixel_aspect.den, av_get_pix_fmt_name(format));
    return 0;
}
