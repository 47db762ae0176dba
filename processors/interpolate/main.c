/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The processor "interpolate": one job on stdin (processors/README.md), by FFmpeg's libraries. The
 * input's frames, and what lies between them (between.h), are made in chunks, side by side and so
 * that a run that was killed is gone on with; codec, sound and container are as video has them. */
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/interpolate/rate.h"
#include "processors/interpolate/slots.h"
#include "processors/lib/processor.h"
#include "processors/lib/request.h"
#include "processors/lib/source.h"
#include "processors/media/container.h"
#include "processors/media/facts.h"
#include "processors/media/hardware.h"
#include "processors/media/media_log.h"
#include "processors/media/render.h"
#include "processors/media/versions.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* 4:2:0 takes even sizes alone. */
static int even(int size)
{
    return size < 2 ? 2 : size / 2 * 2;
}

/* By the times of the packets; 0/0 where not each of them is a frame. */
static AVRational measured_rate(const struct render *render)
{
    const struct packet_index *index = &render->index;
    const AVRational base = render->recipe.source_base;
    AVRational rate = {0, 0};
    if (!index->timed || !index->each_shows || index->count < 2)
        return rate;
    const int64_t length = index->times[index->count - 1] - index->times[0];
    if (length > INT64_MAX / FFMAX(base.num, 1))
        return rate;
    (void)av_reduce(&rate.num, &rate.den, (int64_t)(index->count - 1) * base.den, length * base.num,
                    INT_MAX);
    return rate;
}

static int set_encoder(const struct request *request, struct render *render, struct error *err)
{
    struct encoder_settings *settings = &render->recipe.settings;
    settings->codec = request_string(request, "codec", "h264");
    settings->preset = request_string(request, "preset", "medium");
    settings->crf = request_int(request, "crf", encoder_crf_default(settings->codec));
    settings->format = AV_PIX_FMT_YUV420P;
    return container_takes(render->container, settings->codec, err) < 0
               ? -1
               : encoder_check_crf(settings->codec, settings->crf, err);
}

static int set_recipe(const struct request *request, struct render *render, struct slots *slots,
                      struct error *err)
{
    struct encoder_settings *settings = &render->recipe.settings;
    const AVCodecParameters *is = render->reader.video->codecpar;
    const AVRational source = rate_of_source(measured_rate(render), settings->rate);
    AVRational rate;
    if (source.num <= 0 || source.den <= 0)
        return error_set(err, ERROR_DAMAGED, "input does not tell its frame rate");
    if (!render->index.timed || render->index.count == 0)
        return error_set(
            err, ERROR_DAMAGED,
            "input has frames without a time, as AVI and raw streams have, so that what lies "
            "between them has none either; video makes an MP4 of it, which has");
    if (rate_read(request, source, &rate, err) < 0 || set_encoder(request, render, err) < 0)
        return -1;
    render->depth_reason = ": frames in between are made with no more";
    settings->width = even(is->width);
    settings->height = even(is->height);
    slots->plan.by_motion = strcmp(request_string(request, "method", "motion"), "motion") == 0;
    slots_plan(rate, &render->recipe, slots);
    render->costs = (struct chunk_costs){.least = SLOTS_CHUNK_LEAST, .by_frames = true};
    render->keep_matrix = reader_display_matrix(&render->reader) != NULL;
    return 0;
}

static int make(struct render *render, struct slots *slots, json_t **ret_result, struct error *err)
{
    if (render_choose_encoder(render, slots->last_filters, sizeof(slots->last_filters), err) < 0 ||
        render_run(render, ret_result, err) < 0)
        return -1;
    json_put_int(json_object_get(*ret_result, "metrics"), "scene_cuts", render->scene_cuts);
    return 0;
}

static int run(const struct request *request, json_t **ret_result, struct error *err)
{
    CLEANUP(source_done) struct source source = {0};
    CLEANUP(render_close) struct render render = {0};
    struct slots slots = {0};
    media_log_init();
    /* SVT-AV1's errors alone. NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
    (void)setenv("SVT_LOG", "1", 0);
    if (source_open(request_path(request, "input"), "input", &source, err) < 0 ||
        render_open(request, &source, &render, err) < 0 ||
        set_recipe(request, &render, &slots, err) < 0 ||
        make(&render, &slots, ret_result, err) < 0) {
        *ret_result = TAKE_PTR(render.partial);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct processor interpolate = {.name = "interpolate",
                                                 .version = BATCHD_VERSION,
                                                 .run = run,
                                                 .uses_gpu = hardware_is_asked,
                                                 .add_versions = media_add_versions};
    return processor_main(argc, argv, &interpolate);
}
