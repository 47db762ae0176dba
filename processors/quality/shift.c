/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/shift.h"

#include <libavutil/pixdesc.h>
#include <libavutil/pixfmt.h>
#include <math.h>

#define PICTURES (SHIFT_FRAMES_MAX + 1)
/* A shift is believed when it brings the pictures at least so much nearer. */
#define NEARER_AT_LEAST 0.5
/* Less than half a level of 255 between what lies against each other is no shift. */
#define DISTANCE_LEAST (0.5 / 255)

/* ---- one picture ---- */

#define ORDER_OF_THIS (AV_NE(AV_PIX_FMT_FLAG_BE, 0))

static float cell_mean(const AVFrame *frame, bool wide, const int from[2], const int to[2])
{
    uint64_t sum = 0;
    for (int y = from[1]; y < to[1]; y++) {
        const uint8_t *row = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
        for (int x = from[0]; x < to[0]; x++)
            sum += wide ? ((const uint16_t *)(const void *)row)[x] : row[x];
    }
    return (float)sum / (float)((to[0] - from[0]) * (to[1] - from[1]));
}

/* false for what has no plane of brightness (or green) in samples of this machine's order. */
static bool look(const AVFrame *frame, struct shift_picture *ret)
{
    const AVPixFmtDescriptor *is = av_pix_fmt_desc_get(frame->format);
    const bool wide = is != NULL && is->comp[0].depth > 8;
    if (is == NULL || is->comp[0].shift != 0 ||
        (wide && (is->flags & AV_PIX_FMT_FLAG_BE) != ORDER_OF_THIS) ||
        is->comp[0].step != (wide ? 2 : 1) || frame->width < SHIFT_CELLS ||
        frame->height < SHIFT_CELLS || is->comp[0].plane != 0)
        return false;
    const float full = (float)((1 << is->comp[0].depth) - 1);
    for (int i = 0; i < SHIFT_CELLS * SHIFT_CELLS; i++) {
        const int column = i % SHIFT_CELLS;
        const int row = i / SHIFT_CELLS;
        const int from[2] = {frame->width * column / SHIFT_CELLS,
                             frame->height * row / SHIFT_CELLS};
        const int to[2] = {frame->width * (column + 1) / SHIFT_CELLS,
                           frame->height * (row + 1) / SHIFT_CELLS};
        ret->cells[i] = cell_mean(frame, wide, from, to) / full;
    }
    return true;
}

static double distance(const struct shift_picture *a, const struct shift_picture *b)
{
    double sum = 0;
    for (int i = 0; i < SHIFT_CELLS * SHIFT_CELLS; i++)
        sum += fabs((double)a->cells[i] - (double)b->cells[i]);
    return sum / (SHIFT_CELLS * SHIFT_CELLS);
}

/* ---- all of them ---- */

static void note(struct shift *shift, int later, int64_t reference, int64_t distorted)
{
    if (reference < 0 || distorted < 0)
        return;
    shift->distances[later + SHIFT_FRAMES_MAX] +=
        distance(&shift->latest[REFERENCE][reference % PICTURES],
                 &shift->latest[DISTORTED][distorted % PICTURES]);
    shift->counts[later + SHIFT_FRAMES_MAX]++;
}

void shift_add(struct shift *shift, AVFrame *const frames[SIDE_COUNT])
{
    const int64_t pair = shift->pairs++;
    for (int side = 0; side < SIDE_COUNT; side++)
        shift->unknown =
            !look(frames[side], &shift->latest[side][pair % PICTURES]) || shift->unknown;
    if (shift->unknown)
        return;
    note(shift, 0, pair, pair);
    for (int frames_apart = 1; frames_apart <= SHIFT_FRAMES_MAX; frames_apart++) {
        note(shift, frames_apart, pair - frames_apart, pair);
        note(shift, -frames_apart, pair, pair - frames_apart);
    }
}

static double mean_distance(const struct shift *shift, int later)
{
    const int64_t count = shift->counts[later + SHIFT_FRAMES_MAX];
    return count == 0 ? INFINITY : shift->distances[later + SHIFT_FRAMES_MAX] / (double)count;
}

int shift_found(const struct shift *shift)
{
    int nearest = 0;
    const double straight = mean_distance(shift, 0);
    for (int later = -SHIFT_FRAMES_MAX; later <= SHIFT_FRAMES_MAX; later++) {
        if (mean_distance(shift, later) < mean_distance(shift, nearest))
            nearest = later;
    }
    const bool believed = !shift->unknown && straight >= DISTANCE_LEAST &&
                          mean_distance(shift, nearest) < NEARER_AT_LEAST * straight;
    return believed ? nearest : 0;
}
