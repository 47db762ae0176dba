/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/motion.h"

#include "common/alloc.h"

#include <libavutil/common.h>
#include <libavutil/pixelutils.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* So far from no motion it is searched, in each direction. */
#define REACH 32
/* Blocks are compared with what is around them: windows of 32x32 that begin so far before them. */
#define MARGIN 8
#define WINDOW_BITS 5
/* What a step of motion must save at least in the sum of differences. */
#define COST_A_STEP 64

struct range {
    int from, to;
};

/* Of one block. */
struct search {
    const struct plane *before, *after;
    av_pixelutils_sad_fn differences;
    int window_x, window_y; /* where its window lies without motion */
    int room_x, room_y;     /* so far it can be moved in both frames without leaving them */
    struct range x, y;      /* what is tried */
    struct vector best;
    unsigned cost;
    /* What was tried already costs as much as before: it cannot be less. */
    bool seen[2 * REACH + 1][2 * REACH + 1];
};

static const struct vector large_diamond[] = {{-2, 0}, {-1, -1}, {0, -2}, {1, -1},
                                              {2, 0},  {1, 1},   {0, 2},  {-1, 1}};
static const struct vector small_diamond[] = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}};

void motion_init(int width, int height, struct motion *ret)
{
    ret->columns = width / MOTION_BLOCK;
    ret->rows = height / MOTION_BLOCK;
    ret->vectors = xcalloc((size_t)ret->columns * (size_t)ret->rows + 1, sizeof(*ret->vectors));
}

void motion_done(struct motion *motion)
{
    free(motion->vectors);
    motion->vectors = NULL;
}

/* Windows that would leave the frames are compared where they are stopped; the length of the way
 * counts whole. */
static unsigned cost_of(const struct search *search, int x, int y)
{
    const struct plane *before = search->before;
    const struct plane *after = search->after;
    const int by_x = av_clip(x, -search->room_x, search->room_x);
    const int by_y = av_clip(y, -search->room_y, search->room_y);
    const uint8_t *earlier =
        before->data + (search->window_y + by_y) * before->stride + search->window_x + by_x;
    const uint8_t *later =
        after->data + (search->window_y - by_y) * after->stride + search->window_x - by_x;
    return (unsigned)(search->differences(earlier, before->stride, later, after->stride) +
                      COST_A_STEP * (abs(x) + abs(y)));
}

static void consider(struct search *search, int x, int y)
{
    if (x < search->x.from || x > search->x.to || y < search->y.from || y > search->y.to ||
        search->seen[y + REACH][x + REACH])
        return;
    search->seen[y + REACH][x + REACH] = true;
    const unsigned cost = cost_of(search, x, y);
    if (cost < search->cost) {
        search->cost = cost;
        search->best = (struct vector){(int16_t)x, (int16_t)y};
    }
}

static void try_around(struct search *search, const struct vector *steps, size_t count)
{
    const struct vector from = search->best;
    for (size_t i = 0; i < count; i++)
        consider(search, from.x + steps[i].x, from.y + steps[i].y);
}

static void find(struct search *search)
{
    struct vector from;
    memset(search->seen, 0, sizeof(search->seen));
    search->seen[REACH][REACH] = true;
    search->best = (struct vector){0, 0};
    search->cost = cost_of(search, 0, 0);
    if (search->cost == 0)
        return;
    do {
        from = search->best;
        try_around(search, large_diamond, FF_ARRAY_ELEMS(large_diamond));
    } while (from.x != search->best.x || from.y != search->best.y);
    try_around(search, small_diamond, FF_ARRAY_ELEMS(small_diamond));
}

/* In one direction, of block `at` of `count`: where its window lies, the room around that, and the
 * vectors that lead to where a block can be. */
static int place(int at, int count, int *ret_room, struct range *ret_tried)
{
    const int block = at * MOTION_BLOCK;
    const int last = (count - 1) * MOTION_BLOCK;
    const int inside = av_clip(block, MARGIN, last - MARGIN);
    *ret_room = FFMIN(inside - MARGIN, last - MARGIN - inside);
    *ret_tried = (struct range){FFMAX(-block, -REACH), FFMIN(last - block, REACH)};
    return inside - MARGIN;
}

void motion_search(struct motion *motion, const struct plane *before, const struct plane *after)
{
    struct search search = {.before = before,
                            .after = after,
                            .differences =
                                av_pixelutils_get_sad_fn(WINDOW_BITS, WINDOW_BITS, 0, NULL)};
    if (motion->columns < 2 || motion->rows < 2)
        return;
    for (int row = 0; row < motion->rows; row++) {
        search.window_y = place(row, motion->rows, &search.room_y, &search.y);
        for (int column = 0; column < motion->columns; column++) {
            search.window_x = place(column, motion->columns, &search.room_x, &search.x);
            find(&search);
            motion->vectors[row * motion->columns + column] = search.best;
        }
    }
}
