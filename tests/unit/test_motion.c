/* The motion between two pictures and what lies between them: what moved is found, and a picture is
 * sample by sample what the sum over all blocks says, which is formed here in the plainest way. */
#include "processors/interpolate/motion.h"
#include "processors/interpolate/overlap.h"
#include "processors/interpolate/scene_change.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 160
#define STRIDE 192
#define BYTES (STRIDE * SIDE)

static uint8_t before[BYTES], after[BYTES], made[BYTES];

static struct plane plane_of(const uint8_t *data, int width, int height)
{
    return (struct plane){.data = data, .stride = STRIDE, .width = width, .height = height};
}

/* Not the C library's, whose numbers may change. */
static unsigned any(unsigned *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

static void fill_any(uint8_t *data, unsigned seed)
{
    for (int i = 0; i < BYTES; i++)
        data[i] = (uint8_t)any(&seed);
}

/* Soft hills: each step away from what is right costs more. */
static uint8_t hill(int x, int y)
{
    const int across = abs(x % 64 - 32);
    const int down = abs(y % 48 - 24);
    return (uint8_t)(3 * across + 4 * down);
}

static void draw(uint8_t *data, int by_x, int by_y)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < STRIDE; x++)
            data[y * STRIDE + x] = hill(x + 128 - by_x, y + 96 - by_y);
    }
}

static const struct {
    int x, y; /* half of the way from one picture to the other */
} ways[] = {{0, 0}, {1, 0}, {0, -1}, {3, 2}, {-4, 1}, {-2, -5}, {6, 0}, {5, 5}};

/* What is at p half way was at p + vector and will be at p - vector. */
START_TEST(what_moves_is_found)
{
    struct motion motion;
    const struct plane planes[] = {plane_of(before, SIDE, SIDE), plane_of(after, SIDE, SIDE)};
    draw(before, -ways[_i].x, -ways[_i].y);
    draw(after, ways[_i].x, ways[_i].y);
    motion_init(SIDE, SIDE, &motion);
    motion_search(&motion, &planes[0], &planes[1]);
    ck_assert_int_eq(motion.columns, SIDE / MOTION_BLOCK);
    for (int row = 2; row < motion.rows - 2; row++) {
        for (int column = 2; column < motion.columns - 2; column++) {
            const struct vector found = motion.vectors[row * motion.columns + column];
            ck_assert_int_eq(found.x, -ways[_i].x);
            ck_assert_int_eq(found.y, -ways[_i].y);
        }
    }
    motion_done(&motion);
}
END_TEST

/* There is no window to compare. */
START_TEST(what_is_small_does_not_move)
{
    static const int sizes[][2] = {{2, 2}, {16, 160}, {31, 64}, {160, 30}};
    struct motion motion;
    const struct plane planes[] = {plane_of(before, sizes[_i][0], sizes[_i][1]),
                                   plane_of(after, sizes[_i][0], sizes[_i][1])};
    fill_any(before, 1);
    fill_any(after, 2);
    motion_init(sizes[_i][0], sizes[_i][1], &motion);
    motion_search(&motion, &planes[0], &planes[1]);
    for (int i = 0; i < motion.columns * motion.rows; i++)
        ck_assert(motion.vectors[i].x == 0 && motion.vectors[i].y == 0);
    motion_done(&motion);
}
END_TEST

/* ---- the plainest search ---- */

#define REACH 32
#define COST_A_STEP 64

/* Where a window stays within the pictures, and so far around it. */
static int kept(int block, int blocks, int *ret_room)
{
    const int least = MOTION_BLOCK / 2;
    const int most = (blocks - 1) * MOTION_BLOCK - MOTION_BLOCK / 2;
    const int at = block * MOTION_BLOCK;
    const int inside = at < least ? least : at > most ? most : at;
    *ret_room = inside - least < most - inside ? inside - least : most - inside;
    return inside - MOTION_BLOCK / 2;
}

static int within(int value, int room)
{
    return value < -room ? -room : value > room ? room : value;
}

static int cost_at(const struct motion *motion, int at, int x, int y)
{
    int room_x = 0, room_y = 0, sum = 0;
    const int left = kept(at % motion->columns, motion->columns, &room_x);
    const int top = kept(at / motion->columns, motion->rows, &room_y);
    const int by_x = within(x, room_x);
    const int by_y = within(y, room_y);
    for (int i = 0; i < 4 * OVERLAP_CELL; i++) {
        const int across = left + i % (2 * MOTION_BLOCK);
        const int down = top + i / (2 * MOTION_BLOCK);
        sum += abs(before[(down + by_y) * STRIDE + across + by_x] -
                   after[(down - by_y) * STRIDE + across - by_x]);
    }
    return sum + COST_A_STEP * (abs(x) + abs(y));
}

/* A block may go where a block can be. */
static bool is_tried(const struct motion *motion, int at, int x, int y)
{
    const int column = at % motion->columns * MOTION_BLOCK + x;
    const int row = at / motion->columns * MOTION_BLOCK + y;
    return abs(x) <= REACH && abs(y) <= REACH && column >= 0 && row >= 0 &&
           column <= (motion->columns - 1) * MOTION_BLOCK &&
           row <= (motion->rows - 1) * MOTION_BLOCK;
}

static bool step(const struct motion *motion, int at, const int (*diamond)[2], int count,
                 struct vector *best)
{
    const struct vector from = *best;
    for (int i = 0; i < count; i++) {
        const int x = from.x + diamond[i][0];
        const int y = from.y + diamond[i][1];
        if (is_tried(motion, at, x, y) &&
            cost_at(motion, at, x, y) < cost_at(motion, at, best->x, best->y))
            *best = (struct vector){(int16_t)x, (int16_t)y};
    }
    return from.x != best->x || from.y != best->y;
}

static struct vector searched(const struct motion *motion, int at)
{
    static const int large[][2] = {{-2, 0}, {-1, -1}, {0, -2}, {1, -1},
                                   {2, 0},  {1, 1},   {0, 2},  {-1, 1}};
    static const int small[][2] = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}};
    struct vector best = {0, 0};
    if (cost_at(motion, at, 0, 0) == 0)
        return best;
    while (step(motion, at, large, 8, &best))
        continue;
    (void)step(motion, at, small, 4, &best);
    return best;
}

enum film_kind { HILLS, SLOPE, DIAGONAL, FLAT };

/* Edges; a way that is longer than what is searched; ways that are as good as each other; noise
 * alone, where many are worth as much as they cost. */
static const struct {
    int width, height, by_x, by_y, noise;
    enum film_kind kind;
} films[] = {
    {160, 160, 14, 3, 1, HILLS},   {160, 160, -24, -20, 1, HILLS}, {160, 96, 3, 0, 9, HILLS},
    {48, 160, 0, 18, 1, HILLS},    {150, 90, 30, 0, 1, HILLS},     {32, 32, 4, 4, 5, HILLS},
    {160, 160, 0, 0, 90, HILLS},   {64, 48, -9, 9, 3, HILLS},      {160, 160, 40, 36, 1, HILLS},
    {160, 160, 6, 0, 1, DIAGONAL}, {160, 160, -6, 0, 1, DIAGONAL}, {160, 160, 40, 0, 1, SLOPE},
    {160, 160, -40, 0, 1, SLOPE},  {160, 160, 0, 0, 3, FLAT},      {160, 160, 0, 0, 4, FLAT},
    {160, 160, 0, 0, 5, FLAT},     {160, 160, 0, 0, 6, FLAT},      {160, 160, 0, 0, 8, FLAT},
    {160, 160, 0, 0, 11, FLAT},    {160, 160, 0, 0, 14, FLAT}};

static void draw_slope(uint8_t *data, int by_x, int down)
{
    for (int i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i % STRIDE + down * (i / STRIDE) + 40 - by_x);
}

static void draw_film(int number)
{
    unsigned state = 7;
    memset(before, 0, sizeof(before));
    memset(after, 0, sizeof(after));
    if (films[number].kind == SLOPE || films[number].kind == DIAGONAL) {
        draw_slope(before, -films[number].by_x, films[number].kind == DIAGONAL);
        draw_slope(after, films[number].by_x, films[number].kind == DIAGONAL);
    } else if (films[number].kind == HILLS) {
        draw(before, -films[number].by_x, -films[number].by_y);
        draw(after, films[number].by_x, films[number].by_y);
    }
    for (int i = 0; i < BYTES; i++) {
        before[i] = (uint8_t)(before[i] + any(&state) % (unsigned)films[number].noise);
        after[i] = (uint8_t)(after[i] + any(&state) % (unsigned)films[number].noise);
    }
}

START_TEST(the_search_goes_in_diamonds)
{
    struct motion motion;
    const struct plane planes[] = {plane_of(before, films[_i].width, films[_i].height),
                                   plane_of(after, films[_i].width, films[_i].height)};
    draw_film(_i);
    motion_init(films[_i].width, films[_i].height, &motion);
    motion_search(&motion, &planes[0], &planes[1]);
    for (int i = 0; i < motion.columns * motion.rows; i++) {
        const struct vector wanted = searched(&motion, i);
        ck_assert_msg(motion.vectors[i].x == wanted.x && motion.vectors[i].y == wanted.y,
                      "block %d: %d,%d, not %d,%d", i, motion.vectors[i].x, motion.vectors[i].y,
                      wanted.x, wanted.y);
    }
    motion_done(&motion);
}
END_TEST

/* ---- the plainest picture ---- */

/* Of one that may be halved: what is asked for lies outside, then the edge. */
static int sample(const struct plane *plane, int x, int y)
{
    x = x < 0 ? 0 : x >= plane->width ? plane->width - 1 : x;
    y = y < 0 ? 0 : y >= plane->height ? plane->height - 1 : y;
    return plane->data[y * plane->stride + x];
}

static int weight_at(int x, int y)
{
    const int across = x < MOTION_BLOCK ? 2 * x + 1 : 4 * MOTION_BLOCK - 1 - 2 * x;
    const int down = y < MOTION_BLOCK ? 2 * y + 1 : 4 * MOTION_BLOCK - 1 - 2 * y;
    return (across * down + 8) / 16 * 4;
}

struct sums {
    int64_t values, weights;
};

/* The part of one block; x and y of luma. */
static void add_block(const struct motion *motion, int at, const struct overlap_pair *pair, int x,
                      int y, struct sums *sums)
{
    const int halved = pair->halved ? 2 : 1;
    const int left = at % motion->columns * MOTION_BLOCK - MOTION_BLOCK / 2;
    const int top = at / motion->columns * MOTION_BLOCK - MOTION_BLOCK / 2;
    const int rest = OVERLAP_TIME_MAX - pair->time;
    const struct vector way = motion->vectors[at];
    if (x < left || y < top || x >= left + 2 * MOTION_BLOCK || y >= top + 2 * MOTION_BLOCK)
        return;
    const int weight = weight_at(x - left, y - top);
    sums->weights += (int64_t)weight * OVERLAP_TIME_MAX;
    sums->values +=
        (int64_t)weight * rest *
        sample(&pair->before, x / halved + 2 * way.x * pair->time / OVERLAP_TIME_MAX / halved,
               y / halved + 2 * way.y * pair->time / OVERLAP_TIME_MAX / halved);
    sums->values += (int64_t)weight * pair->time *
                    sample(&pair->after, x / halved + -2 * way.x * rest / OVERLAP_TIME_MAX / halved,
                           y / halved + -2 * way.y * rest / OVERLAP_TIME_MAX / halved);
}

static int value_at(const struct motion *motion, const struct overlap_pair *pair, int x, int y)
{
    struct sums sums = {0};
    const int full_x = pair->halved ? 2 * x + 1 : x;
    const int full_y = pair->halved ? 2 * y + 1 : y;
    for (int i = 0; i < motion->columns * motion->rows; i++)
        add_block(motion, i, pair, full_x, full_y, &sums);
    if (sums.weights == 0 || x == pair->before.width - 1 || y == pair->before.height - 1) {
        sums.weights = OVERLAP_TIME_MAX;
        sums.values = (OVERLAP_TIME_MAX - pair->time) * sample(&pair->before, x, y) +
                      pair->time * sample(&pair->after, x, y);
    }
    return (int)((sums.values + sums.weights / 2) / sums.weights);
}

static struct motion any_motion(int width, int height, unsigned seed)
{
    struct motion motion;
    motion_init(width, height, &motion);
    for (int i = 0; i < motion.columns * motion.rows; i++) {
        motion.vectors[i].x = (int16_t)((int)(any(&seed) % 65) - 32);
        motion.vectors[i].y = (int16_t)((int)(any(&seed) % 65) - 32);
    }
    return motion;
}

static const struct {
    int width, height, time;
} pictures[] = {{160, 160, 512}, {150, 90, 1},   {62, 46, 1023}, {34, 158, 300},
                {32, 32, 700},   {16, 16, 512},  {14, 2, 77},    {2, 120, 1000},
                {130, 18, 333},  {48, 100, 513}, {158, 34, 200}, {144, 128, 800}};

START_TEST(a_picture_is_the_sum_of_its_blocks)
{
    static struct overlap_weights weights;
    const int width = pictures[_i].width;
    const int height = pictures[_i].height;
    struct motion motion = any_motion(width, height, (unsigned)_i);
    overlap_init(&weights);
    fill_any(before, 3);
    fill_any(after, 4);
    for (int halved = 0; halved < 2; halved++) {
        const struct overlap_pair pair = {plane_of(before, width >> halved, height >> halved),
                                          plane_of(after, width >> halved, height >> halved),
                                          pictures[_i].time, halved != 0};
        memset(made, 0, sizeof(made));
        overlap_make(&weights, &motion, &pair, made, STRIDE);
        for (int y = 0; y < pair.before.height; y++) {
            for (int x = 0; x < pair.before.width; x++)
                ck_assert_msg(made[y * STRIDE + x] == value_at(&motion, &pair, x, y),
                              "%dx%d halved %d at %d,%d: %d, not %d", width, height, halved, x, y,
                              made[y * STRIDE + x], value_at(&motion, &pair, x, y));
        }
        for (int i = pair.before.width; i < STRIDE; i++) /* and nothing beside it */
            ck_assert_int_eq(made[i], 0);
    }
    motion_done(&motion);
}
END_TEST

START_TEST(without_motion_it_fades)
{
    static struct overlap_weights weights;
    static uint8_t faded[BYTES];
    struct motion motion;
    const struct overlap_pair pair = {plane_of(before, 150, 91), plane_of(after, 150, 91),
                                      pictures[_i].time, false};
    overlap_init(&weights);
    fill_any(before, 5);
    fill_any(after, 6);
    memset(made, 0, sizeof(made));
    memset(faded, 0, sizeof(faded));
    motion_init(150, 91, &motion);
    overlap_make(&weights, &motion, &pair, made, STRIDE);
    overlap_blend(&pair, faded, STRIDE);
    ck_assert_mem_eq(made, faded, BYTES);
    ck_assert_int_eq(made[0], (before[0] * (1024 - pair.time) + after[0] * pair.time + 512) / 1024);
    motion_done(&motion);
}
END_TEST

/* 10 percent of 256 are 25.6. */
START_TEST(a_scene_changes_where_the_difference_does)
{
    static const struct {
        int step;          /* of each sample */
        double difference; /* before */
        bool changes;
    } cases[] = {{25, 0, false}, {26, 0, true},   {-26, 0, true}, {60, 60 / 2.56, false},
                 {60, 13, true}, {60, 14, false}, {5, 90, false}, {0, 0, false}};
    double difference = cases[_i].difference;
    const struct plane planes[] = {plane_of(before, 75, 33), plane_of(after, 75, 33)};
    memset(before, 100, sizeof(before));
    memset(after, 100 + cases[_i].step, sizeof(after));
    ck_assert(scene_changes(&planes[0], &planes[1], &difference) == cases[_i].changes);
    ck_assert_double_eq_tol(difference, abs(cases[_i].step) / 2.56, 1e-9);
}
END_TEST

static Suite *motion_suite(void)
{
    Suite *suite = suite_create("motion");
    TCase *tcase = tcase_create("motion");
    const int pictures_count = (int)(sizeof(pictures) / sizeof(pictures[0]));
    tcase_add_loop_test(tcase, what_moves_is_found, 0, (int)(sizeof(ways) / sizeof(ways[0])));
    tcase_add_loop_test(tcase, what_is_small_does_not_move, 0, 4);
    tcase_add_loop_test(tcase, the_search_goes_in_diamonds, 0,
                        (int)(sizeof(films) / sizeof(films[0])));
    tcase_add_loop_test(tcase, a_picture_is_the_sum_of_its_blocks, 0, pictures_count);
    tcase_add_loop_test(tcase, without_motion_it_fades, 0, pictures_count);
    tcase_add_loop_test(tcase, a_scene_changes_where_the_difference_does, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(motion_suite());
}
