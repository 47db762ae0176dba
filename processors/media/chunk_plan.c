/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/chunk_plan.h"

#include "common/alloc.h"
#include "common/json.h"
#include "processors/media/encoder.h"
#include "processors/media/packet_index.h"

#include <libavutil/common.h>
#include <stdbool.h>
#include <stdlib.h>

#define FRAMES_MAX ENCODER_KEY_DISTANCE
/* In the mean: the rest is the room in which a cut may look for a key frame of the source. */
#define FRAMES_MEAN 225
/* Of more rounds than this an incomplete last one costs less than shorter chunks would. */
#define ROUNDS_EVENED 4
/* A cut moves by a quarter of a chunk at most. */
#define ROOM 4

static void make(size_t count, unsigned threads, struct chunk_plan *ret)
{
    ret->count = (unsigned)count;
    ret->threads = threads;
    ret->cuts = xcalloc(count + 1, sizeof(*ret->cuts));
    ret->cuts[0] = INT64_MIN;
    ret->cuts[count] = INT64_MAX;
}

void chunk_plan_whole(unsigned cpus, struct chunk_plan *ret)
{
    make(1, cpus, ret);
}

/* The number of the frame, of from..to, that a key packet begins with and that is the nearest to
 * `wanted`; SIZE_MAX: none does. *key is the first key to look at, and moves on. */
static size_t nearest_key(const struct packet_index *index, size_t from, size_t to, size_t wanted,
                          size_t *key)
{
    size_t best = SIZE_MAX;
    size_t least = SIZE_MAX;
    for (size_t i = *key; i < index->key_count; i++) {
        const size_t at = packet_index_before(index, index->keys[i]);
        const size_t distance = at > wanted ? at - wanted : wanted - at;
        if (at > to)
            break;
        if (at < from)
            *key = i + 1;
        else if (distance < least) {
            least = distance;
            best = at;
        }
    }
    return best;
}

/* How much of the work lies before a frame (0..1): half of it is counted by frames, half by bytes.
 * (Measured with x264, veryfast, on 480p: 0.4 by frames, 1 by bytes; a film's quiet parts take a
 * third of the time of its busy ones.) */
static double work_before(const struct packet_index *index, size_t frame)
{
    const double frames = (double)frame / (double)FFMAX(index->count, 1);
    return (frames + packet_index_bytes_before(index, frame)) / 2;
}

/* The first one that has so much of it before it. */
static size_t frame_at(const struct packet_index *index, double share)
{
    size_t low = 0;
    size_t high = index->count;
    while (low < high) {
        const size_t half = low + (high - low) / 2;
        if (work_before(index, half) < share)
            low = half + 1;
        else
            high = half;
    }
    return low;
}

/* Chunks of like work, none of more than FRAMES_MAX frames or less than half of the mean. Where one
 * of the source's key frames is within `room` frames, it is cut there: nothing before it has to be
 * decoded then for what lies behind. */
static void set_cuts(const struct packet_index *index, size_t room, struct chunk_plan *plan)
{
    const size_t frames = index->count;
    const size_t least = frames / plan->count / 2;
    size_t key = 0;
    size_t last = 0;
    for (unsigned i = 1; i < plan->count; i++) {
        const size_t behind = plan->count - i;
        const size_t behind_most = FFMIN(behind * FRAMES_MAX, frames);
        const size_t low = FFMAX(last + least, frames - behind_most);
        const size_t high = FFMIN(last + FRAMES_MAX, frames - behind * least);
        const size_t even = frame_at(index, (double)i / plan->count);
        const size_t wanted = FFMIN(FFMAX(even, low), high);
        const size_t from = wanted < low + room ? low : wanted - room;
        const size_t found = nearest_key(index, from, FFMIN(high, wanted + room), wanted, &key);
        last = found == SIZE_MAX ? wanted : found;
        plan->cuts[i] = index->times[last];
    }
}

static void set_even(const struct packet_index *index, struct chunk_plan *plan)
{
    for (unsigned i = 1; i < plan->count; i++)
        plan->cuts[i] = index->times[index->count * i / plan->count];
}

void chunk_plan_make(const struct packet_index *index, unsigned cpus,
                     const struct chunk_costs *costs, struct chunk_plan *ret)
{
    const size_t longest = (size_t)ROUNDS_EVENED * cpus;
    size_t count = (index->count + FRAMES_MEAN - 1) / FRAMES_MEAN;
    const size_t even = (count + cpus - 1) / cpus * cpus;
    if (count <= longest)
        count = even * costs->least <= index->count ? even : index->count / costs->least;
    if (!index->timed || count <= 1) {
        chunk_plan_whole(cpus, ret);
        return;
    }
    make(count, count < cpus ? cpus / (unsigned)count : 1, ret);
    if (costs->by_frames)
        set_even(index, ret);
    else
        set_cuts(index, index->count / count / ROOM, ret);
}

struct sorting {
    const struct chunk_plan *plan;
    const struct packet_index *index;
};

static double work_of(const struct sorting *sorting, unsigned chunk)
{
    const struct packet_index *index = sorting->index;
    const int64_t *cuts = sorting->plan->cuts;
    return work_before(index, packet_index_before(index, cuts[chunk + 1])) -
           work_before(index, packet_index_before(index, cuts[chunk]));
}

static int compare_work(const void *left, const void *right, void *arg)
{
    const double a = work_of(arg, *(const unsigned *)left);
    const double b = work_of(arg, *(const unsigned *)right);
    return (a < b) - (a > b);
}

void chunk_plan_order(const struct chunk_plan *plan, const struct packet_index *index,
                      unsigned cpus, unsigned *chunks, size_t count)
{
    struct sorting sorting = {plan, index};
    if (plan->count <= (size_t)ROUNDS_EVENED * cpus)
        qsort_r(chunks, count, sizeof(*chunks), compare_work, &sorting);
}

void chunk_plan_done(struct chunk_plan *plan)
{
    free(plan->cuts);
    *plan = (struct chunk_plan){0};
}

json_t *chunk_plan_to_json(const struct chunk_plan *plan)
{
    json_t *json = json_object();
    json_t *cuts = json_array();
    for (unsigned i = 1; i < plan->count; i++)
        (void)json_array_append_new(cuts, json_integer(plan->cuts[i]));
    json_put_int(json, "threads", plan->threads);
    json_put(json, "cuts", cuts);
    return json;
}

int chunk_plan_from_json(const json_t *json, struct chunk_plan *ret)
{
    const json_t *cuts = json_object_get(json, "cuts");
    const json_int_t threads = json_integer_value(json_object_get(json, "threads"));
    if (!json_is_array(cuts) || threads < 1 || threads > UINT16_MAX)
        return -1;
    make(json_array_size(cuts) + 1, (unsigned)threads, ret);
    for (size_t i = 0; i < json_array_size(cuts); i++) {
        const json_t *cut = json_array_get(cuts, i);
        ret->cuts[i + 1] = json_integer_value(cut);
        if (!json_is_integer(cut) || ret->cuts[i + 1] <= ret->cuts[i])
            return -1;
    }
    return 0;
}
