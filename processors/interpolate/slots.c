/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/slots.h"

#include "processors/media/packet_index.h"

#include <libavutil/mathematics.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

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

void slots_plan(const char *method, AVRational rate, struct chunk_recipe *recipe, struct slots *ret)
{
    struct encoder_settings *settings = &recipe->settings;
    /* minterpolate gives what lies before a frame when the one behind that is there. So the last
     * frame comes three times more, at its own time, at its end and later: then its slots come out
     * too, and what is too many is cut off. Its default search for motion, epzs, begins with what
     * it found in earlier frames, for ever; ds does not, so that chunks are equal to one long run.
     */
    (void)snprintf(ret->filters, sizeof(ret->filters),
                   "scale=%d:%d:flags=bicubic:out_range=tv,format=yuv420p,tpad=stop=3:stop_mode="
                   "clone,minterpolate=fps=%d/%d:mi_mode=%s:me=ds,trim=end_pts=%lld",
                   settings->width, settings->height, rate.num, rate.den,
                   strcmp(method, "blend") == 0 ? "blend" : "mci",
                   (long long)end_slot(recipe, rate));
    recipe->filters = ret->filters;
    recipe->roll_in = recipe->roll_out = SLOTS_ROLL;
    /* By this tpad knows how long a frame is. */
    (void)av_reduce(&recipe->source_rate.num, &recipe->source_rate.den, recipe->source_base.den,
                    recipe->source_base.num * FFMAX(last_duration(recipe), 1), INT_MAX);
    settings->rate = rate;
    settings->time_base = av_inv_q(rate);
}
