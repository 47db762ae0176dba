/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/between.h"

#include "common/alloc.h"
#include "common/json.h"
#include "processors/interpolate/overlap.h"
#include "processors/interpolate/scene_change.h"
#include "processors/media/media_log.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>

#define PLANES 3

struct between {
    const struct between_plan *plan;
    struct frame_sink sink;
    AVRational base;                /* of the frames that come */
    AVFrame *before;                /* the last one that came */
    int64_t slot;                   /* the next one to be filled */
    int64_t first_slot, first_time; /* of the first frame; the slot may be before the time */
    double difference;              /* of the last two frames, scene_change.h */
    int64_t cuts;
    struct motion motion; /* between `before` and the frame that comes */
    struct overlap_weights weights;
};

/* The two frames around a slot. */
struct pair {
    AVFrame *before, *after;
    bool cut;      /* the scene changes between them */
    bool searched; /* the motion between them is known */
};

/* ---- a picture between two frames ---- */

static struct plane plane_of(const AVFrame *frame, int number)
{
    const int halved = number > 0;
    return (struct plane){.data = frame->data[number],
                          .stride = frame->linesize[number],
                          .width = AV_CEIL_RSHIFT(frame->width, halved),
                          .height = AV_CEIL_RSHIFT(frame->height, halved)};
}

static void search(struct between *between, struct pair *pair)
{
    const struct plane before = plane_of(pair->before, 0);
    const struct plane after = plane_of(pair->after, 0);
    if (!pair->searched)
        motion_search(&between->motion, &before, &after);
    pair->searched = true;
}

static void fill(struct between *between, struct pair *pair, int time, AVFrame *made)
{
    if (between->plan->by_motion)
        search(between, pair);
    for (int i = 0; i < PLANES; i++) {
        const struct overlap_pair planes = {.before = plane_of(pair->before, i),
                                            .after = plane_of(pair->after, i),
                                            .time = time,
                                            .halved = i > 0};
        if (between->plan->by_motion)
            overlap_make(&between->weights, &between->motion, &planes, made->data[i],
                         made->linesize[i]);
        else
            overlap_blend(&planes, made->data[i], made->linesize[i]);
    }
}

/* ---- closed captions ---- */

/* They lie within pictures, as the parts of a text: each is given once, with the first slot from
 * its frame on, whatever that shows. Chunks agree on which that is. */
static void settle_captions(const struct between *between, const AVFrame *of, AVFrame *frame)
{
    const AVRational step = av_inv_q(between->plan->rate);
    const AVFrameSideData *captions = av_frame_get_side_data(of, AV_FRAME_DATA_A53_CC);
    av_frame_remove_side_data(frame, AV_FRAME_DATA_A53_CC);
    if (captions == NULL || av_compare_ts(between->slot - 1, step, of->pts, between->base) >= 0 ||
        (of->pts == between->first_time && between->slot > between->first_slot))
        return;
    AVBufferRef *data = av_buffer_ref(captions->buf);
    if (data == NULL || av_frame_new_side_data_from_buf(frame, AV_FRAME_DATA_A53_CC, data) == NULL)
        out_of_memory();
}

/* The last frame that begins by the slot. */
static const AVFrame *shown(const struct between *between, const struct pair *pair)
{
    const AVRational step = av_inv_q(between->plan->rate);
    return av_compare_ts(between->slot, step, pair->after->pts, between->base) < 0 ? pair->before
                                                                                   : pair->after;
}

/* ---- a slot ---- */

/* The slot's, in parts of OVERLAP_TIME_MAX of the way from one frame to the other. */
static int time_between(const struct between *between, const struct pair *pair)
{
    const int64_t start = pair->before->pts;
    const int64_t multiplier = (int64_t)between->plan->rate.den * between->base.den;
    const int64_t divisor = (int64_t)between->plan->rate.num * between->base.num;
    const int64_t whole = av_rescale_rnd(between->slot, multiplier, divisor, AV_ROUND_DOWN);
    /* Less than the divisor, whatever the products leave out of 64 bits. */
    const uint64_t rest =
        (uint64_t)between->slot * (uint64_t)multiplier - (uint64_t)whole * (uint64_t)divisor;
    const int64_t parts = av_rescale((int64_t)rest, OVERLAP_TIME_MAX, divisor);
    const double behind = (double)(whole - start) * OVERLAP_TIME_MAX + (double)parts;
    return (int)av_clipd(behind / (double)(pair->after->pts - start), 0, OVERLAP_TIME_MAX);
}

static int give(struct between *between, AVFrame *frame, struct error *err)
{
    frame->pts = between->slot;
    return between->sink.take(between->sink.arg, frame, av_inv_q(between->plan->rate), err);
}

static int give_copy(struct between *between, const AVFrame *of, const AVFrame *captions,
                     struct error *err)
{
    AVFrame *copy = av_frame_clone(of);
    if (copy == NULL)
        out_of_memory();
    settle_captions(between, captions, copy);
    int result = give(between, copy, err);
    av_frame_free(&copy);
    return result;
}

static int give_made(struct between *between, struct pair *pair, int time, struct error *err)
{
    AVFrame *made = av_frame_alloc();
    if (made == NULL)
        out_of_memory();
    made->width = pair->before->width;
    made->height = pair->before->height;
    made->format = pair->before->format;
    int result = av_frame_get_buffer(made, 0);
    if (result >= 0)
        result = av_frame_copy_props(made, pair->before);
    if (result < 0) {
        (void)media_error(err, ERROR_BUSY, result, "a picture in between");
    } else {
        fill(between, pair, time, made);
        settle_captions(between, pair->before, made);
        result = give(between, made, err);
    }
    av_frame_free(&made);
    return result < 0 ? -1 : 0;
}

static int give_slot(struct between *between, struct pair *pair, struct error *err)
{
    const int time = time_between(between, pair);
    const AVFrame *nearest = time > OVERLAP_TIME_MAX / 2 ? pair->after : pair->before;
    if (time == 0 || time == OVERLAP_TIME_MAX || pair->cut)
        return give_copy(between, nearest, shown(between, pair), err);
    return give_made(between, pair, time, err);
}

static bool is_wanted(const struct between *between)
{
    return between->sink.wants(between->sink.arg, between->slot, av_inv_q(between->plan->rate));
}

/* Up to and with the later frame. */
static int fill_slots(struct between *between, struct pair *pair, struct error *err)
{
    const AVRational step = av_inv_q(between->plan->rate);
    if (pair->after->pts <= pair->before->pts)
        return 0;
    for (; between->slot < between->plan->end_slot &&
           av_compare_ts(between->slot, step, pair->after->pts, between->base) <= 0;
         between->slot++) {
        if (is_wanted(between) && give_slot(between, pair, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the stage ---- */

static void *between_open(const void *plan, const struct frame_sink *sink)
{
    struct between *between = xcalloc(1, sizeof(*between));
    between->plan = plan;
    between->sink = *sink;
    overlap_init(&between->weights);
    between->before = av_frame_alloc();
    if (between->before == NULL)
        out_of_memory();
    return between;
}

static void between_close(void *arg)
{
    struct between *between = arg;
    if (between == NULL)
        return;
    av_frame_free(&between->before);
    motion_done(&between->motion);
    free(between);
}

static void begin(struct between *between, const AVFrame *frame, AVRational base)
{
    between->base = base;
    between->slot = av_rescale_q(frame->pts, base, av_inv_q(between->plan->rate));
    between->first_slot = between->slot;
    between->first_time = frame->pts;
    motion_init(frame->width, frame->height, &between->motion);
}

static bool is_cut(struct between *between, const struct pair *pair)
{
    const struct plane before = plane_of(pair->before, 0);
    const struct plane after = plane_of(pair->after, 0);
    return scene_changes(&before, &after, &between->difference);
}

static int between_push(void *arg, AVFrame *frame, AVRational base, struct error *err)
{
    struct between *between = arg;
    if (between->before->buf[0] == NULL) {
        begin(between, frame, base);
    } else {
        struct pair pair = {.before = between->before, .after = frame};
        pair.cut = is_cut(between, &pair);
        between->cuts +=
            pair.cut && between->sink.wants(between->sink.arg, between->before->pts, base);
        if (fill_slots(between, &pair, err) < 0)
            return -1;
        av_frame_unref(between->before);
    }
    int rc = av_frame_ref(between->before, frame);
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "a frame") : 0;
}

/* The last frame is shown to its end. */
static int between_finish(void *arg, json_t *facts, struct error *err)
{
    struct between *between = arg;
    const AVRational step = av_inv_q(between->plan->rate);
    json_put_int(facts, "scene_cuts", between->cuts);
    if (between->before->buf[0] == NULL)
        return 0;
    const int64_t end = between->before->pts + between->plan->hold;
    for (; between->slot < between->plan->end_slot &&
           av_compare_ts(between->slot, step, end, between->base) < 0;
         between->slot++) {
        if (is_wanted(between) && give_copy(between, between->before, between->before, err) < 0)
            return -1;
    }
    return 0;
}

const struct frame_stage between_stage = {
    .open = between_open, .close = between_close, .push = between_push, .finish = between_finish};
