/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/transcode.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/request.h"
#include "processors/media/container.h"
#include "processors/media/render.h"
#include "processors/video/pictures.h"

#include <string.h>

static int set_recipe(const struct request *request, struct render *render,
                      struct pictures *pictures, struct error *err)
{
    struct chunk_recipe *recipe = &render->recipe;
    struct encoder_settings *settings = &recipe->settings;
    settings->codec = request_string(request, "codec", "h264");
    settings->preset = request_string(request, "preset", "medium");
    settings->crf = request_int(request, "crf", encoder_crf_default(settings->codec));
    settings->format = encoder_format(settings->codec, render->reader.video->codecpar->format);
    if (container_takes(render->container, settings->codec, err) < 0 ||
        encoder_check_crf(settings->codec, settings->crf, err) < 0 ||
        pictures_plan(request, &render->reader, recipe, pictures, err) < 0)
        return -1;
    if (colour_is_rgb(render->colour.format)) /* geometry.c makes that of it */
        settings->space = render->colour.space = AVCOL_SPC_BT709;
    render->keep_matrix = pictures->geometry.keep_matrix;
    render->one_to_one = pictures->one_to_one;
    return 0;
}

int transcode(const struct request *request, const struct source *source, json_t **ret_result,
              struct error *err)
{
    CLEANUP(render_close) struct render render = {0};
    struct pictures pictures = {0};
    if (render_open(request, source, &render, err) < 0 ||
        set_recipe(request, &render, &pictures, err) < 0 ||
        render_choose_encoder(&render, pictures.filters, sizeof(pictures.filters), err) < 0 ||
        render_run(&render, ret_result, err) < 0) {
        *ret_result = TAKE_PTR(render.partial);
        return -1;
    }
    json_put(json_object_get(json_object_get(*ret_result, "media"), "output"), "deinterlaced",
             json_boolean(pictures.deinterlaced));
    return 0;
}
