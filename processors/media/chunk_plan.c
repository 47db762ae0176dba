/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/chunk_plan.h"

#include "common/alloc.h"
#include "common/json.h"
#include "processors/media/encoder.h"
#include "processors/media/packet_index.h"

#include <stdlib.h>

#define FRAMES_MAX ENCODER_KEY_DISTANCE
/* Of more rounds than this an incomplete last one costs less than shorter chunks would. */
#define ROUNDS_EVENED 4

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

void chunk_plan_make(const struct packet_index *index, unsigned cpus, unsigned least,
                     struct chunk_plan *ret)
{
    size_t count = (index->count + FRAMES_MAX - 1) / FRAMES_MAX;
    const size_t even = (count + cpus - 1) / cpus * cpus;
    if (count <= (size_t)ROUNDS_EVENED * cpus)
        count = even * least <= index->count ? even : index->count / least;
    if (!index->timed || count <= 1) {
        chunk_plan_whole(cpus, ret);
        return;
    }
    make(count, count < cpus ? cpus / (unsigned)count : 1, ret);
    for (size_t i = 1; i < count; i++)
        ret->cuts[i] = index->times[index->count * i / count];
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
