/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where a video is cut, by time: chunk k holds the frames with cuts[k] <= pts < cuts[k+1], the
 * first one also what lies before and the last one what lies behind. */
#ifndef BATCHD_PROCESSORS_MEDIA_CHUNK_PLAN_H
#define BATCHD_PROCESSORS_MEDIA_CHUNK_PLAN_H

#include "common/error.h"

#include <jansson.h>
#include <stdint.h>

struct packet_index;

struct chunk_plan {
    unsigned count;   /* of the chunks; 1: it is not cut */
    unsigned threads; /* of each one's encoder: other threads give other bytes, so it is planned */
    int64_t *cuts;    /* count + 1, the outer ones without bounds; owned */
};

/* At most ENCODER_KEY_DISTANCE frames of the source a chunk, so that the encoder's own key frames
 * are where the chunks begin, and as many chunks for each of the cpus; not below `least` frames,
 * since each costs a key frame. */
void chunk_plan_make(const struct packet_index *index, unsigned cpus, unsigned least,
                     struct chunk_plan *ret);
/* What `least` is where encoding is most of the work. */
#define CHUNK_PLAN_LEAST 120
/* Uncut, for what cannot be cut. */
void chunk_plan_whole(unsigned cpus, struct chunk_plan *ret);
void chunk_plan_done(struct chunk_plan *plan);

/* Owned by the caller, and back: 0, or -1 for what is no plan. */
json_t *chunk_plan_to_json(const struct chunk_plan *plan);
int chunk_plan_from_json(const json_t *json, struct chunk_plan *ret);

#endif
