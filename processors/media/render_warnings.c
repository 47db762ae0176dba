/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What of an input does not come over, or not as it was: in the log at once, and in the result. */
#include "processors/media/render.h"

#include "processors/lib/report.h"
#include "processors/media/subtitle_text.h"

#include <libavutil/pixdesc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* As a result's line has room for. */
#define WARNINGS_MAX 40
#define WARNING_BYTES 300

void render_warn(struct render *render, const char *format, ...)
{
    char text[WARNING_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    report_log("%s", text);
    const size_t count = json_array_size(render->warnings);
    if (count < WARNINGS_MAX)
        (void)json_array_append_new(render->warnings, json_string(text));
    else if (count == WARNINGS_MAX)
        (void)json_array_append_new(render->warnings, json_string("there are more, in the log"));
}

void render_warn_of_tracks(struct render *render)
{
    size_t i;
    const json_t *one;
    json_array_foreach(render->tracks.left_out, i, one) {
        render_warn(render, "stream %d (%s %s, %s) is left out: %s",
                    (int)json_integer_value(json_object_get(one, "index")),
                    json_string_value(json_object_get(one, "type")),
                    json_string_value(json_object_get(one, "codec")),
                    json_string_value(json_object_get(one, "language")),
                    json_string_value(json_object_get(one, "reason")));
    }
}

void render_warn_of_cues(struct render *render, const struct track *track,
                         const struct subtitle_losses *losses)
{
    if (losses->unreadable > 0)
        render_warn(render, "cues of stream %d left out, since they cannot be read: %lld",
                    track->source, (long long)losses->unreadable);
    if (losses->unwritable > 0)
        render_warn(render, "cues of stream %d left out, too large or too far off for %s: %lld",
                    track->source, avcodec_get_name(track->codec), (long long)losses->unwritable);
    if (losses->crowded > 0)
        render_warn(render, "cues of stream %d that end early, since %d at a time are shown: %lld",
                    track->source, SUBTITLE_TEXT_SHOWN_MAX, (long long)losses->crowded);
}

/* ---- pictures ---- */

static void warn_of_depth(struct render *render)
{
    const int had = colour_bits(render->colour.format);
    const int has = colour_bits(render->recipe.settings.format);
    const char *hdr = colour_hdr(&render->colour);
    const char *why = render->depth_reason != NULL ? render->depth_reason
                      : strcmp(render->recipe.settings.codec, "h264") == 0
                          ? ": H.264 is made with 8, h265, av1 and vp9 keep 10"
                          : "";
    if (has >= had)
        return;
    render_warn(render, "the input's %d bits become %d%s%s%s", had, has, why,
                strcmp(hdr, "none") == 0 ? "" : "; with so few its HDR shows bands: ",
                strcmp(hdr, "none") == 0 ? "" : hdr);
}

/* What they have beside three colours of full size: 4:2:0 without alpha is made of them. */
static void warn_of_samples(struct render *render)
{
    const AVPixFmtDescriptor *is = av_pix_fmt_desc_get(render->colour.format);
    if (is == NULL)
        return;
    if ((is->flags & AV_PIX_FMT_FLAG_ALPHA) != 0 && (is->flags & AV_PIX_FMT_FLAG_PAL) == 0)
        render_warn(render, "the input's transparency is left out");
    if (is->nb_components >= 3 && (is->flags & AV_PIX_FMT_FLAG_RGB) == 0 &&
        (is->log2_chroma_w == 0 || is->log2_chroma_h == 0))
        render_warn(render,
                    "the input's colour has 4:%d:%d of the samples, and 4:2:0 of the output's",
                    is->log2_chroma_w == 0 ? 4 : 2, is->log2_chroma_w == 0 ? 4 : 2);
}

void render_warn_of_format(struct render *render)
{
    warn_of_depth(render);
    warn_of_samples(render);
    if (render->colour.has_dolby)
        render_warn(
            render,
            "Dolby Vision (profile %d) is not carried over, only the picture that others show",
            render->colour.dolby.dv_profile);
    if (render->colour.dynamic)
        render_warn(render, "HDR10+ (light by scene) is not carried over");
}

void render_warn_of_captions(struct render *render)
{
    const char *encoder = encoder_name(&render->recipe.settings);
    if (render->captions && strcmp(encoder, "libx264") != 0)
        render_warn(render,
                    "closed captions within the pictures are left out: %s does not take them, "
                    "libx264 (codec h264) does",
                    encoder);
}

static void warn_of_tag(struct render *render, const char *what, const char *name, bool kept)
{
    if (!kept)
        render_warn(render, "the output does not tell the input's %s%s%s", what,
                    name == NULL ? "" : ": ", name == NULL ? "" : name);
}

/* What the input leaves open cannot be lost. */
void render_warn_of_colour(struct render *render, const struct colour *found)
{
    const struct colour *meant = &render->colour;
    warn_of_tag(render, "primaries", av_color_primaries_name(meant->primaries),
                meant->primaries == AVCOL_PRI_UNSPECIFIED || meant->primaries == found->primaries);
    warn_of_tag(render, "transfer", av_color_transfer_name(meant->transfer),
                meant->transfer == AVCOL_TRC_UNSPECIFIED || meant->transfer == found->transfer);
    warn_of_tag(render, "matrix", av_color_space_name(meant->space),
                meant->space == AVCOL_SPC_UNSPECIFIED || meant->space == found->space);
    warn_of_tag(render, "mastering display", NULL, !meant->has_mastering || found->has_mastering);
    warn_of_tag(render, "content light level", NULL, !meant->has_light || found->has_light);
}
