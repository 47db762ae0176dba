/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The times of a row of frames in short: how many, from when to when, how far apart. */
#ifndef BATCHD_PROCESSORS_MEDIA_TIME_SPAN_H
#define BATCHD_PROCESSORS_MEDIA_TIME_SPAN_H

#include <jansson.h>
#include <stdint.h>

struct reader;

/* All times in one time base; zeroed it has no frame. */
struct time_span {
    int64_t frames, first, last;
    int64_t step_min, step_max; /* between two frames; 0 before the second */
    int64_t last_duration;      /* of the last frame */
    int64_t repaired;           /* frames that had no time, or none that rose */
};

/* One frame more, behind the others. */
void time_span_add(struct time_span *span, int64_t time);
/* What follows, as chunk_make noted it. */
void time_span_append(struct time_span *span, const json_t *chunk_facts);
/* As though the reader had decoded these frames: for facts_media. */
void time_span_apply(const struct time_span *span, struct reader *reader);

#endif
