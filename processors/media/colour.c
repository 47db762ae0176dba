/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/colour.h"

#include "common/alloc.h"
#include "common/json.h"

#include <libavutil/bprint.h>
#include <libavutil/pixdesc.h>
#include <string.h>

/* Order in AVMasteringDisplayMetadata.display_primaries. */
enum { RED, GREEN, BLUE };

/* ---- finding it ---- */

static bool is_complete(const AVMasteringDisplayMetadata *mastering)
{
    bool complete = mastering->min_luminance.den > 0 && mastering->max_luminance.den > 0;
    for (int axis = 0; axis < 2; axis++) {
        complete &= mastering->white_point[axis].den > 0;
        for (int i = RED; i <= BLUE; i++)
            complete &= mastering->display_primaries[i][axis].den > 0;
    }
    return complete;
}

static void take_mastering(struct colour *colour, const void *data)
{
    const AVMasteringDisplayMetadata *mastering = data;
    if (mastering == NULL || !mastering->has_primaries || !mastering->has_luminance ||
        !is_complete(mastering))
        return;
    colour->mastering = *mastering;
    colour->has_mastering = true;
}

static void take_light(struct colour *colour, const void *data)
{
    const AVContentLightMetadata *light = data;
    if (light == NULL || (light->MaxCLL == 0 && light->MaxFALL == 0)) /* unknown */
        return;
    colour->light = *light;
    colour->has_light = true;
}

static const void *side_data(const AVStream *stream, enum AVPacketSideDataType type, size_t least)
{
    size_t bytes = 0;
    const void *data = av_stream_get_side_data(stream, type, &bytes);
    return bytes < least ? NULL : data;
}

void colour_of_stream(const AVStream *stream, struct colour *ret)
{
    const AVCodecParameters *is = stream->codecpar;
    *ret = (struct colour){.format = is->format,
                           .primaries = is->color_primaries,
                           .transfer = is->color_trc,
                           .space = is->color_space,
                           .range = is->color_range};
    take_mastering(ret, side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
                                  sizeof(AVMasteringDisplayMetadata)));
    take_light(ret,
               side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, sizeof(AVContentLightMetadata)));
    const AVDOVIDecoderConfigurationRecord *dolby =
        side_data(stream, AV_PKT_DATA_DOVI_CONF, sizeof(AVDOVIDecoderConfigurationRecord));
    ret->has_dolby = dolby != NULL;
    if (dolby != NULL)
        ret->dolby = *dolby;
}

void colour_add_frame(struct colour *colour, const AVFrame *frame)
{
    const AVFrameSideData *mastering =
        av_frame_get_side_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
    const AVFrameSideData *light = av_frame_get_side_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
    if (!colour->has_mastering && mastering != NULL)
        take_mastering(colour, mastering->data);
    if (!colour->has_light && light != NULL)
        take_light(colour, light->data);
    colour->dynamic |= av_frame_get_side_data(frame, AV_FRAME_DATA_DYNAMIC_HDR_PLUS) != NULL;
}

/* ---- telling it ---- */

int colour_bits(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *is = av_pix_fmt_desc_get(format);
    return is == NULL ? 0 : is->comp[0].depth;
}

bool colour_is_rgb(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *is = av_pix_fmt_desc_get(format);
    return is != NULL && (is->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

bool colour_is_hdr(const struct colour *colour)
{
    return colour->transfer == AVCOL_TRC_SMPTE2084 || colour->transfer == AVCOL_TRC_ARIB_STD_B67;
}

const char *colour_hdr(const struct colour *colour)
{
    if (colour->has_dolby)
        return "dolby-vision";
    return colour->transfer == AVCOL_TRC_SMPTE2084      ? "hdr10"
           : colour->transfer == AVCOL_TRC_ARIB_STD_B67 ? "hlg"
                                                        : "none";
}

/* To a millionth: the standards count in 1/50000 and 1/10000. */
static json_t *number(AVRational value)
{
    return json_real((double)(int64_t)(av_q2d(value) * 1e6 + 0.5) / 1e6);
}

static json_t *place(const AVRational *at)
{
    json_t *pair = json_array();
    (void)json_array_append_new(pair, number(at[0]));
    (void)json_array_append_new(pair, number(at[1]));
    return pair;
}

static json_t *mastering_facts(const AVMasteringDisplayMetadata *mastering)
{
    json_t *facts = json_object();
    json_put(facts, "red", place(mastering->display_primaries[RED]));
    json_put(facts, "green", place(mastering->display_primaries[GREEN]));
    json_put(facts, "blue", place(mastering->display_primaries[BLUE]));
    json_put(facts, "white", place(mastering->white_point));
    json_put(facts, "luminance_min", number(mastering->min_luminance));
    json_put(facts, "luminance_max", number(mastering->max_luminance));
    return facts;
}

static json_t *light_facts(const AVContentLightMetadata *light)
{
    json_t *facts = json_object();
    json_put_int(facts, "max", light->MaxCLL);
    json_put_int(facts, "average", light->MaxFALL);
    return facts;
}

static json_t *dolby_facts(const AVDOVIDecoderConfigurationRecord *dolby)
{
    json_t *facts = json_object();
    json_put_int(facts, "profile", dolby->dv_profile);
    json_put_int(facts, "level", dolby->dv_level);
    json_put_int(facts, "compatibility", dolby->dv_bl_signal_compatibility_id);
    return facts;
}

void colour_put_facts(json_t *video, const struct colour *colour)
{
    json_t *facts = json_object();
    const bool named = colour->space != AVCOL_SPC_UNSPECIFIED;
    json_put_text(facts, "primaries",
                  colour->primaries == AVCOL_PRI_UNSPECIFIED
                      ? NULL
                      : av_color_primaries_name(colour->primaries));
    json_put_text(facts, "transfer",
                  colour->transfer == AVCOL_TRC_UNSPECIFIED
                      ? NULL
                      : av_color_transfer_name(colour->transfer));
    json_put_text(facts, "matrix", named ? av_color_space_name(colour->space) : NULL);
    json_put_text(facts, "range",
                  colour->range == AVCOL_RANGE_UNSPECIFIED ? NULL
                                                           : av_color_range_name(colour->range));
    json_put(video, "colour", facts);
    json_put_int(video, "bits", colour_bits(colour->format));
    json_put_text(video, "hdr", colour_hdr(colour));
    json_put(video, "mastering_display",
             colour->has_mastering ? mastering_facts(&colour->mastering) : json_null());
    json_put(video, "content_light", colour->has_light ? light_facts(&colour->light) : json_null());
    json_put(video, "dolby_vision", colour->has_dolby ? dolby_facts(&colour->dolby) : json_null());
}

/* ---- handing it on ---- */

static void set_side_data(AVStream *stream, enum AVPacketSideDataType type, const void *data,
                          size_t bytes)
{
    uint8_t *copy = av_stream_new_side_data(stream, type, bytes);
    if (copy == NULL)
        out_of_memory();
    memcpy(copy, data, bytes);
}

void colour_set_stream(const struct colour *colour, AVStream *stream)
{
    AVCodecParameters *is = stream->codecpar;
    is->color_primaries = colour->primaries;
    is->color_trc = colour->transfer;
    is->color_space = colour->space;
    is->color_range = colour->range;
    if (colour->has_mastering)
        set_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &colour->mastering,
                      sizeof(colour->mastering));
    if (colour->has_light)
        set_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &colour->light,
                      sizeof(colour->light));
}

/* How an encoder takes the display and the light in its parameters: names, and of the places and of
 * the luminance the parts of 1 that are counted, or 0 and the digits behind the point. */
struct display_form {
    const char *mastering, *light;
    int place_parts, place_digits, luminance_parts, luminance_digits;
};

static unsigned in_parts(AVRational value, int parts)
{
    const int64_t count = av_rescale(value.num, parts, value.den);
    return count < 0 ? 0 : count > UINT32_MAX ? UINT32_MAX : (unsigned)count;
}

static void print_pair(AVBPrint *text, const char *name, const AVRational *pair, int parts,
                       int digits)
{
    if (parts > 0)
        av_bprintf(text, "%s(%u,%u)", name, in_parts(pair[0], parts), in_parts(pair[1], parts));
    else
        av_bprintf(text, "%s(%.*f,%.*f)", name, digits, av_q2d(pair[0]), digits, av_q2d(pair[1]));
}

static void print_display(const struct colour *colour, const struct display_form *form, char *ret,
                          size_t bytes)
{
    const AVMasteringDisplayMetadata *on = &colour->mastering;
    const AVRational luminance[] = {on->max_luminance, on->min_luminance};
    const struct {
        const char *name;
        const AVRational *at;
    } places[] = {{"G", on->display_primaries[GREEN]},
                  {"B", on->display_primaries[BLUE]},
                  {"R", on->display_primaries[RED]},
                  {"WP", on->white_point}};
    AVBPrint text;
    av_bprint_init_for_buffer(&text, ret, (unsigned)bytes);
    if (colour->has_mastering) {
        av_bprintf(&text, ":%s=", form->mastering);
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
            print_pair(&text, places[i].name, places[i].at, form->place_parts, form->place_digits);
        print_pair(&text, "L", luminance, form->luminance_parts, form->luminance_digits);
    }
    if (colour->has_light)
        av_bprintf(&text, ":%s=%u,%u", form->light, colour->light.MaxCLL, colour->light.MaxFALL);
}

/* It counts as SEI messages do. */
void colour_x265(const struct colour *colour, char *ret, size_t bytes)
{
    static const struct display_form form = {.mastering = "master-display",
                                             .light = "max-cll",
                                             .place_parts = 50000,
                                             .luminance_parts = 10000};
    print_display(colour, &form, ret, bytes);
}

void colour_svtav1(const struct colour *colour, char *ret, size_t bytes)
{
    static const struct display_form form = {.mastering = "mastering-display",
                                             .light = "content-light",
                                             .place_digits = 5,
                                             .luminance_digits = 4};
    print_display(colour, &form, ret, bytes);
}
