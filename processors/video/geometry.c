/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/geometry.h"

#include "processors/lib/request.h"
#include "processors/media/reader.h"

#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

/* Shown x' = a x + c y, y' = b x + d y; fixed point, only signs and zeroes matter for quarter
 * turns. */
struct turn {
    int a, b, c, d;
};

static int sign_of(int32_t value)
{
    /* 16.16 fixed point: below a thousandth it is a rounding error of a quarter turn. */
    return value > 65 ? 1 : value < -65 ? -1 : 0;
}

static struct turn turn_of(const int32_t *matrix)
{
    if (matrix == NULL)
        return (struct turn){.a = 1, .d = 1};
    return (struct turn){.a = sign_of(matrix[0]),
                         .b = sign_of(matrix[1]),
                         .c = sign_of(matrix[3]),
                         .d = sign_of(matrix[4])};
}

static bool is_upright(struct turn turn)
{
    return turn.a != 0 && turn.d != 0 && turn.b == 0 && turn.c == 0;
}

static bool is_sideways(struct turn turn)
{
    return turn.a == 0 && turn.d == 0 && turn.b != 0 && turn.c != 0;
}

/* NULL for what is no quarter turn: it is left to the player. */
static const char *turn_filters(struct turn turn)
{
    if (is_upright(turn))
        return turn.a > 0 ? (turn.d > 0 ? "" : "vflip,") : (turn.d > 0 ? "hflip," : "hflip,vflip,");
    if (!is_sideways(turn))
        return NULL;
    if (turn.c > 0)
        return turn.b > 0 ? "transpose=cclock_flip," : "transpose=cclock,";
    return turn.b > 0 ? "transpose=clock," : "transpose=clock_flip,";
}

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

/* What the scale filter makes of the input's pixels: the shape as shown stays. */
static AVRational aspect_of(const struct reader *reader, const struct geometry *to)
{
    const AVCodecParameters *is = reader->video->codecpar;
    const bool turned = !to->keep_matrix && is_sideways(turn_of(reader_display_matrix(reader)));
    AVRational pixel = av_guess_sample_aspect_ratio(reader->format, reader->video, NULL);
    if (pixel.num <= 0 || pixel.den <= 0)
        return (AVRational){1, 1};
    if (turned)
        pixel = av_inv_q(pixel);
    const int width = turned ? is->height : is->width;
    const int height = turned ? is->width : is->height;
    AVRational shown;
    (void)av_reduce(&shown.num, &shown.den, (int64_t)pixel.num * width * to->height,
                    (int64_t)pixel.den * height * to->width, 1 << 16);
    return shown;
}

int geometry_plan(const struct request *request, const struct reader *reader,
                  enum AVPixelFormat format, struct geometry *ret, struct error *err)
{
    int width = request_int(request, "width", 0);
    int height = request_int(request, "height", 0);
    const bool both = width > 0 && height > 0;
    const AVCodecParameters *is = reader->video->codecpar;
    const int32_t *matrix = reader_display_matrix(reader);
    const char *turned = turn_filters(turn_of(matrix));
    const bool sideways = is_sideways(turn_of(matrix));
    if (check_even("width", width, err) < 0 || check_even("height", height, err) < 0)
        return -1;
    ret->keep_matrix =
        matrix != NULL &&
        (turned == NULL || strcmp(request_string(request, "rotation", "apply"), "keep") == 0);
    const int shown_width = sideways ? is->height : is->width;
    const int shown_height = sideways ? is->width : is->height;
    if (width == 0)
        width = height == 0 ? even(shown_width)
                            : even(av_rescale(shown_width, height, shown_height) + 1);
    if (height == 0)
        height = request_int(request, "width", 0) == 0
                     ? even(shown_height)
                     : even(av_rescale(shown_height, width, shown_width) + 1);
    ret->width = ret->keep_matrix && sideways ? height : width;
    ret->height = ret->keep_matrix && sideways ? width : height;
    ret->pixel_aspect = both ? (AVRational){1, 1} : aspect_of(reader, ret);
    /* Players take 4:2:0 of limited range for granted. Both sizes given: square pixels. */
    (void)snprintf(ret->filters, sizeof(ret->filters),
                   "%sscale=%d:%d:flags=bicubic:out_range=tv,setsar=%d/%d,format=%s",
                   ret->keep_matrix ? "" : turned, ret->width, ret->height, ret->pixel_aspect.num,
                   ret->pixel_aspect.den, av_get_pix_fmt_name(format));
    return 0;
}
