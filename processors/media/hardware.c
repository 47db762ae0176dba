/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/hardware.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/media/card.h"
#include "processors/media/encoder_probe.h"
#include "processors/media/gpu_encoder.h"

#include <libavutil/pixdesc.h>
#include <string.h>

/* ---- the choice ---- */

bool hardware_is_asked(const struct request *request)
{
    return strcmp(request_string(request, "hardware", "never"), "never") != 0;
}

/* The one that they all take for this depth. */
static enum AVPixelFormat format_of(const char *encoder, enum AVPixelFormat software)
{
    const AVPixFmtDescriptor *is = av_pix_fmt_desc_get(software);
    if (!gpu_encoder_is(encoder))
        return software;
    return is != NULL && is->comp[0].depth > 8 ? AV_PIX_FMT_P010LE : AV_PIX_FMT_NV12;
}

static void refuse(json_t *refused, const char *encoder, const struct error *err)
{
    json_t *one = json_object();
    json_put_text(one, "encoder", encoder);
    json_put(one, "why", json_from_bytes(err->text, strlen(err->text)));
    (void)json_array_append_new(refused, one);
    report_log("%s is not used: %s", encoder, err->text);
}

bool hardware_prove(const char *const *candidates, struct encoder_settings *settings,
                    json_t *refused, bool *ret_busy)
{
    for (; *candidates != NULL; candidates++) {
        struct error err = {0};
        struct encoder_settings probed = *settings;
        probed.library = *candidates;
        probed.format = format_of(*candidates, settings->format);
        if (encoder_probe(&probed, &err) == 0) {
            *settings = probed;
            return true;
        }
        refuse(refused, *candidates, &err);
        *ret_busy |= err.code == ERROR_BUSY;
    }
    return false;
}

/* The reasons stand in the result and in the log; the first is most machines' only one. */
static int lacks(const char *codec, const json_t *refused, bool busy, struct error *err)
{
    const json_t *first = json_array_get(refused, 0);
    (void)error_set_field(err, "params.hardware",
                          "params.hardware is require, and no hardware encoder of %s works here; "
                          "%s: %.200s",
                          codec, json_string_value(json_object_get(first, "encoder")),
                          json_string_value(json_object_get(first, "why")));
    if (busy)
        err->code = ERROR_BUSY;
    return -1;
}

int hardware_choose(const char *asked, struct encoder_settings *settings, json_t **ret_facts,
                    struct error *err)
{
    const char *candidates[GPU_ENCODERS + 1] = {NULL};
    bool busy = false;
    json_t *refused = json_array();
    json_t *facts = *ret_facts = json_object();
    for (size_t i = 0; i < GPU_ENCODERS && strcmp(asked, "never") != 0; i++)
        candidates[i] = gpu_encoder_of(settings->codec, i);
    const bool used = hardware_prove(candidates, settings, refused, &busy);
    json_put_text(facts, "asked", asked);
    json_put(facts, "used", json_boolean(used));
    if (used) {
        CLEANUP_FREE char *card = card_describe();
        json_put(facts, "card", json_from_bytes(card, strlen(card)));
    }
    json_put(facts, "refused", refused);
    return used || strcmp(asked, "require") != 0 ? 0 : lacks(settings->codec, refused, busy, err);
}
