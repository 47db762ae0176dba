/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/slots.h"

#include "processors/media/packet_index.h"

#include <libavutil/mathematics.h>
#include <stdio.h>

/* Of the last frame, as the file says; else as long as the others are in the mean. */
static int64_t last_duration(const struct chunk_recipe *recipe)
{
    const struct packet_index *index = recipe->index;
    if (index->last_duration > 0)
        return index->last_duration;
    if (index->count > 1)
        return (index->times[index->count - 1] - index->times[0]) / (int64_t)(index->count - 1);
    return av_rescale_q(1, av_inv_q(recipe->source_rate), recipe->source_base);
}

/* The first slot that is behind the input's end. */
static int64_t end_slot(const struct chunk_recipe *recipe, AVRational rate)
{
    const struct packet_index *index = recipe->index;
    const int64_t end = index->times[index->count - 1] + last_duration(recipe) - recipe->offset;
    return av_rescale_q_rnd(end, recipe->source_base, av_inv_q(rate), AV_ROUND_UP);
}

void slots_plan(AVRational rate, struct chunk_recipe *recipe, struct slots *ret)
{
    struct encoder_settings *settings = &recipe->settings;
    (void)snprintf(ret->filters, sizeof(ret->filters),
                   "scale=%d:%d:flags=bicubic:out_range=tv,format=yuv420p", settings->width,
                   settings->height);
    (void)snprintf(ret->last_filters, sizeof(ret->last_filters), "null");
    ret->plan.rate = rate;
    ret->plan.end_slot = end_slot(recipe, rate);
    ret->plan.hold = last_duration(recipe);
    recipe->filters = ret->filters;
    recipe->last_filters = ret->last_filters;
    recipe->stage = &between_stage;
    recipe->stage_plan = &ret->plan;
    recipe->roll_in = recipe->roll_out = recipe->index->each_shows ? SLOTS_ROLL : SLOTS_ROLL_HIDDEN;
    settings->rate = rate;
    settings->time_base = av_inv_q(rate);
}
