/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where a video is cut, by time: chunk k holds the frames with cuts[k] <= pts < cuts[k+1], the
 * first one also what lies before and the last one what lies behind. */
#ifndef BATCHD_PROCESSORS_MEDIA_CHUNK_PLAN_H
#define BATCHD_PROCESSORS_MEDIA_CHUNK_PLAN_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct packet_index;

struct chunk_plan {
    unsigned count;   /* of the chunks; 1: it is not cut */
    unsigned threads; /* of each one's encoder: other threads give other bytes, so it is planned */
    int64_t *cuts;    /* count + 1, the outer ones without bounds; owned */
};

/* What is known of the work. */
struct chunk_costs {
    unsigned least; /* frames of the source a chunk, in the mean: each chunk costs a key frame */
    bool by_frames; /* it is the same for each frame; else busy pictures take longer to encode */
};
/* Where encoding is most of the work. */
#define CHUNK_COSTS_ENCODING ((struct chunk_costs){.least = 120})

/* At most ENCODER_KEY_DISTANCE frames of the source a chunk, so that the encoder's own key frames
 * are where the chunks begin; as many chunks for each of the cpus, of like work, cut where the
 * source has a key frame if one is near. */
void chunk_plan_make(const struct packet_index *index, unsigned cpus,
                     const struct chunk_costs *costs, struct chunk_plan *ret);
/* Of few chunks the longest come first: then all of the cpus end at about the same time. Of many
 * they stay as they lie, so that what is left can be told from what is done. */
void chunk_plan_order(const struct chunk_plan *plan, const struct packet_index *index,
                      unsigned cpus, unsigned *chunks, size_t count);
/* Uncut, for what cannot be cut. */
void chunk_plan_whole(unsigned cpus, struct chunk_plan *ret);
void chunk_plan_done(struct chunk_plan *plan);

/* Owned by the caller, and back: 0, or -1 for what is no plan. */
json_t *chunk_plan_to_json(const struct chunk_plan *plan);
int chunk_plan_from_json(const json_t *json, struct chunk_plan *ret);

#endif
