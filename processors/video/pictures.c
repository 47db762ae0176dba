/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/pictures.h"

#include "processors/lib/request.h"
#include "processors/media/chunk.h"
#include "processors/media/frame_rate.h"
#include "processors/media/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Frames that a filter remembers, or looks ahead to: bwdif and fps look at one to each side; hqdn3d
 * remembers all, of which 16 frames back a hundredth is left (measured: research on checkpoints).
 */
#define ROLL_FIELDS 2
#define ROLL_RATE 2
#define ROLL_DENOISE 16

__attribute__((format(printf, 2, 3))) static void append(struct pictures *pictures,
                                                         const char *format, ...)
{
    va_list args;
    const size_t used = strlen(pictures->filters);
    va_start(args, format);
    (void)vsnprintf(pictures->filters + used, sizeof(pictures->filters) - used, format, args);
    va_end(args);
}

static void roll(struct chunk_recipe *recipe, unsigned in, unsigned out)
{
    recipe->roll_in += in; /* a filter behind another remembers what that one made */
    recipe->roll_out += out;
}

/* Where the file says that its pictures are of two fields. */
static bool is_interlaced(const struct reader *reader)
{
    const enum AVFieldOrder order = reader->video->codecpar->field_order;
    return order != AV_FIELD_UNKNOWN && order != AV_FIELD_PROGRESSIVE;
}

static void add_deinterlace(const struct request *request, const struct reader *reader,
                            struct chunk_recipe *recipe, struct pictures *pictures)
{
    const char *mode = request_string(request, "deinterlace", "auto");
    pictures->deinterlaced =
        strcmp(mode, "on") == 0 || (strcmp(mode, "auto") == 0 && is_interlaced(reader));
    if (!pictures->deinterlaced)
        return;
    append(pictures, "bwdif=mode=send_frame:deint=all,");
    roll(recipe, ROLL_FIELDS, ROLL_FIELDS);
}

/* hqdn3d by its own default, and by half and twice of that. */
static void add_denoise(const struct request *request, struct chunk_recipe *recipe,
                        struct pictures *pictures)
{
    static const struct {
        const char *name, *filter;
    } strengths[] = {{"light", "hqdn3d=2:1.5:3:2.25,"},
                     {"medium", "hqdn3d=4:3:6:4.5,"},
                     {"strong", "hqdn3d=8:6:12:9,"}};
    const char *mode = request_string(request, "denoise", "none");
    for (size_t i = 0; i < sizeof(strengths) / sizeof(strengths[0]); i++) {
        if (strcmp(strengths[i].name, mode) != 0)
            continue;
        append(pictures, "%s", strengths[i].filter);
        roll(recipe, ROLL_DENOISE, 0);
    }
}

/* The filter's slots are whole multiples of the frame's length, wherever it begins: chunks agree on
 * them. */
static void add_rate(const struct request *request, struct chunk_recipe *recipe,
                     struct pictures *pictures)
{
    const double fps = request_number(request, "fps", 0);
    if (fps <= 0)
        return;
    const AVRational rate = frame_rate_exact(fps);
    append(pictures, ",fps=%d/%d", rate.num, rate.den);
    recipe->settings.rate = rate;
    recipe->settings.time_base = av_inv_q(rate);
    pictures->one_to_one = false;
    roll(recipe, ROLL_RATE, ROLL_RATE);
    /* A slot takes the frame that is nearest to it: up to half a slot behind it, and so behind the
     * chunk. */
    recipe->roll_time = av_rescale_q_rnd(1, av_inv_q(av_mul_q(rate, (AVRational){2, 1})),
                                         recipe->source_base, AV_ROUND_UP) +
                        1;
}

int pictures_plan(const struct request *request, const struct reader *reader,
                  struct chunk_recipe *recipe, struct pictures *ret, struct error *err)
{
    struct encoder_settings *settings = &recipe->settings;
    ret->one_to_one = true;
    if (geometry_plan(request, reader, settings->format, &ret->geometry, err) < 0)
        return -1;
    add_deinterlace(request, reader, recipe, ret);
    append(ret, "%s%s", ret->geometry.turn, ret->geometry.crop);
    add_denoise(request, recipe, ret);
    append(ret, "%s", ret->geometry.scale);
    add_rate(request, recipe, ret);
    recipe->filters = ret->filters;
    settings->width = ret->geometry.width;
    settings->height = ret->geometry.height;
    settings->pixel_aspect = ret->geometry.pixel_aspect;
    return 0;
}
