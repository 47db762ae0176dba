/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/overlap.h"

#include <libavutil/common.h>
#include <string.h>

#define HALF_BLOCK (MOTION_BLOCK / 2)
/* Samples of a row that are blended at a time. */
#define BLEND_ROW 32
/* A block's weight falls evenly from its middle to where it ends, half a block outside of it: 31,
 * 29, ... 1, in both directions. Their product, 1024 for four blocks together, is taken in steps
 * of 4 of 256. */
#define WEIGHT_STEP 4
#define PRODUCT_A_STEP 16

/* One cell while it is made: sums of at most 256 times 255, which 16 bits hold. */
struct cell {
    const struct overlap_pair *pair;
    int size;   /* its width and height */
    int x, y;   /* of its corner on the left and top, which may lie outside */
    bool inner; /* four blocks have a part in it, and all of it is written */
    uint16_t before[OVERLAP_CELL], after[OVERLAP_CELL], weights[OVERLAP_CELL];
};

/* ---- weights ---- */

static uint16_t weight_at(int x, int y)
{
    const int across = 2 * FFMIN(x, 2 * MOTION_BLOCK - 1 - x) + 1;
    const int down = 2 * FFMIN(y, 2 * MOTION_BLOCK - 1 - y) + 1;
    return (uint16_t)(WEIGHT_STEP * ((across * down + PRODUCT_A_STEP / 2) / PRODUCT_A_STEP));
}

/* Of four samples of luma one of a halved component has the motion of the last. */
static void set_weights(struct overlap_weights *weights, int lower, int right)
{
    const int top = lower * MOTION_BLOCK;
    const int left = right * MOTION_BLOCK;
    for (int i = 0; i < OVERLAP_CELL; i++)
        weights->full[lower][right][i] = weight_at(left + i % MOTION_BLOCK, top + i / MOTION_BLOCK);
    for (int i = 0; i < OVERLAP_CELL / 4; i++)
        weights->half[lower][right][i] =
            weight_at(left + 2 * (i % HALF_BLOCK) + 1, top + 2 * (i / HALF_BLOCK) + 1);
}

void overlap_init(struct overlap_weights *ret)
{
    for (int i = 0; i < 4; i++)
        set_weights(ret, i / 2, i % 2);
}

/* ---- sums ---- */

/* Inline, with a constant size, so that the compiler makes vectors of them. */
static inline void add_rows(uint16_t *restrict sums, const uint16_t *restrict weights,
                            const uint8_t *restrict from, ptrdiff_t stride, int size)
{
    for (int y = 0; y < size; y++, from += stride, sums += size, weights += size) {
        for (int x = 0; x < size; x++)
            sums[x] = (uint16_t)(sums[x] + weights[x] * from[x]);
    }
}

/* What lies outside of the frame is as its edge is. */
static void copy_clamped(const struct plane *plane, int left, int top, int size, uint8_t *ret)
{
    for (int y = 0; y < size; y++) {
        const uint8_t *row = plane->data + av_clip(top + y, 0, plane->height - 1) * plane->stride;
        for (int x = 0; x < size; x++)
            ret[y * size + x] = row[av_clip(left + x, 0, plane->width - 1)];
    }
}

/* `by`, in samples of luma, from where the cell lies. */
static void add_part(const struct cell *cell, const struct plane *plane, struct vector by,
                     const uint16_t *weights, uint16_t *sums)
{
    uint8_t copy[OVERLAP_CELL];
    const int left = cell->x + (cell->pair->halved ? by.x / 2 : by.x);
    const int top = cell->y + (cell->pair->halved ? by.y / 2 : by.y);
    const bool within = left >= 0 && top >= 0 && left + cell->size <= plane->width &&
                        top + cell->size <= plane->height;
    if (!within)
        copy_clamped(plane, left, top, cell->size, copy);
    const uint8_t *from = within ? plane->data + top * plane->stride + left : copy;
    const ptrdiff_t stride = within ? plane->stride : cell->size;
    if (cell->size == MOTION_BLOCK)
        add_rows(sums, weights, from, stride, MOTION_BLOCK);
    else
        add_rows(sums, weights, from, stride, HALF_BLOCK);
}

/* Half of the way is before the middle, half behind it. */
static int part_of_way(int half, int time)
{
    return 2 * half * time / OVERLAP_TIME_MAX;
}

static void add_block(struct cell *cell, struct vector way, const uint16_t *weights)
{
    const int time = cell->pair->time;
    const int rest = OVERLAP_TIME_MAX - time;
    const struct vector from_before = {(int16_t)part_of_way(way.x, time),
                                       (int16_t)part_of_way(way.y, time)};
    const struct vector from_after = {(int16_t)part_of_way(-way.x, rest),
                                      (int16_t)part_of_way(-way.y, rest)};
    add_part(cell, &cell->pair->before, from_before, weights, cell->before);
    add_part(cell, &cell->pair->after, from_after, weights, cell->after);
    for (int i = 0; !cell->inner && i < cell->size * cell->size; i++)
        cell->weights[i] = (uint16_t)(cell->weights[i] + weights[i]);
}

/* ---- what comes of them ---- */

/* 2^18 is the sum of the weights times that of the times. */
static inline void write_rows(const struct cell *cell, uint8_t *restrict to, ptrdiff_t stride,
                              int size)
{
    const uint16_t time = (uint16_t)cell->pair->time;
    const uint16_t rest = (uint16_t)(OVERLAP_TIME_MAX - time);
    const uint16_t *restrict before = cell->before;
    const uint16_t *restrict after = cell->after;
    for (int y = 0; y < size; y++, to += stride, before += size, after += size) {
        for (int x = 0; x < size; x++)
            to[x] = (uint8_t)(((uint32_t)rest * before[x] + (uint32_t)time * after[x] +
                               (OVERLAP_WEIGHT_SUM * OVERLAP_TIME_MAX / 2)) /
                              (OVERLAP_WEIGHT_SUM * OVERLAP_TIME_MAX));
    }
}

static uint8_t blended(const struct overlap_pair *pair, ptrdiff_t before_at, ptrdiff_t after_at)
{
    const int sum = (OVERLAP_TIME_MAX - pair->time) * pair->before.data[before_at] +
                    pair->time * pair->after.data[after_at];
    return (uint8_t)((sum + OVERLAP_TIME_MAX / 2) / OVERLAP_TIME_MAX);
}

/* Where no block has a part; none has one in the last column and row. */
static bool is_bare(const struct cell *cell, int x, int y, int weight)
{
    const struct plane *plane = &cell->pair->before;
    return weight == 0 || x == plane->width - 1 || y == plane->height - 1;
}

static uint8_t value_at(const struct cell *cell, int x, int y)
{
    const struct overlap_pair *pair = cell->pair;
    const int at = (y - cell->y) * cell->size + x - cell->x;
    const uint32_t weight = cell->weights[at] * (uint32_t)OVERLAP_TIME_MAX;
    if (is_bare(cell, x, y, cell->weights[at]))
        return blended(pair, y * pair->before.stride + x, y * pair->after.stride + x);
    const uint32_t sum = (uint32_t)(OVERLAP_TIME_MAX - pair->time) * cell->before[at] +
                         (uint32_t)pair->time * cell->after[at];
    return (uint8_t)((sum + weight / 2) / weight);
}

static void write_cell(const struct cell *cell, uint8_t *to, ptrdiff_t stride)
{
    const struct plane *plane = &cell->pair->before;
    const int right = FFMIN(cell->x + cell->size, plane->width);
    const int bottom = FFMIN(cell->y + cell->size, plane->height);
    if (cell->inner) {
        uint8_t *corner = to + cell->y * stride + cell->x;
        if (cell->size == MOTION_BLOCK)
            write_rows(cell, corner, stride, MOTION_BLOCK);
        else
            write_rows(cell, corner, stride, HALF_BLOCK);
        return;
    }
    for (int y = FFMAX(cell->y, 0); y < bottom; y++) {
        for (int x = FFMAX(cell->x, 0); x < right; x++)
            to[y * stride + x] = value_at(cell, x, y);
    }
}

/* Of the cell between the blocks `column` - 1 and `column`, and so of rows. */
static void add_blocks(struct cell *cell, const struct overlap_weights *weights,
                       const struct motion *motion, int column, int row)
{
    for (int i = 0; i < 4; i++) {
        const int right = i % 2;
        const int lower = i / 2;
        const int x = column - right;
        const int y = row - lower;
        if (x >= 0 && x < motion->columns && y >= 0 && y < motion->rows)
            add_block(cell, motion->vectors[y * motion->columns + x],
                      cell->pair->halved ? weights->half[lower][right]
                                         : weights->full[lower][right]);
    }
}

void overlap_make(const struct overlap_weights *weights, const struct motion *motion,
                  const struct overlap_pair *pair, uint8_t *to, ptrdiff_t stride)
{
    const int size = pair->halved ? HALF_BLOCK : MOTION_BLOCK;
    for (int row = 0; row * size - size / 2 < pair->before.height; row++) {
        for (int column = 0; column * size - size / 2 < pair->before.width; column++) {
            struct cell cell = {.pair = pair,
                                .size = size,
                                .x = column * size - size / 2,
                                .y = row * size - size / 2};
            cell.inner = column > 0 && column < motion->columns && row > 0 && row < motion->rows;
            add_blocks(&cell, weights, motion, column, row);
            write_cell(&cell, to, stride);
        }
    }
}

static inline void blend_row(const struct overlap_pair *pair, ptrdiff_t at_before,
                             ptrdiff_t at_after, uint8_t *restrict to, int count)
{
    for (int x = 0; x < count; x++)
        to[x] = blended(pair, at_before + x, at_after + x);
}

void overlap_blend(const struct overlap_pair *pair, uint8_t *to, ptrdiff_t stride)
{
    const int width = pair->before.width;
    for (int y = 0; y < pair->before.height; y++) {
        const ptrdiff_t before = y * pair->before.stride;
        const ptrdiff_t after = y * pair->after.stride;
        int x = 0;
        for (; x + BLEND_ROW <= width; x += BLEND_ROW)
            blend_row(pair, before + x, after + x, to + y * stride + x, BLEND_ROW);
        blend_row(pair, before + x, after + x, to + y * stride + x, width - x);
    }
}
