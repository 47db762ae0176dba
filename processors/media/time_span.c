/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/time_span.h"

#include "processors/media/reader.h"

static void note_step(struct time_span *span, int64_t least, int64_t most)
{
    if (span->step_max == 0 || least < span->step_min)
        span->step_min = least;
    if (most > span->step_max)
        span->step_max = most;
}

void time_span_add(struct time_span *span, int64_t time)
{
    if (span->frames == 0)
        span->first = time;
    else
        note_step(span, time - span->last, time - span->last);
    span->last = time;
    span->frames++;
}

static int64_t number(const json_t *facts, const char *name)
{
    return json_integer_value(json_object_get(facts, name));
}

void time_span_append(struct time_span *span, const json_t *chunk_facts)
{
    const int64_t frames = number(chunk_facts, "frames_in");
    if (frames == 0)
        return;
    time_span_add(span, number(chunk_facts, "first"));
    if (frames > 1)
        note_step(span, number(chunk_facts, "step_min"), number(chunk_facts, "step_max"));
    span->frames += frames - 1;
    span->last = number(chunk_facts, "last");
    span->last_duration = number(chunk_facts, "last_duration");
    span->repaired += number(chunk_facts, "times_repaired");
}

void time_span_apply(const struct time_span *span, struct reader *reader)
{
    reader->frames = span->frames;
    reader->first_pts = span->first;
    reader->last_pts = span->last;
    reader->end_pts = span->last + span->last_duration;
    reader->step_min = span->step_min;
    reader->step_max = span->step_max;
    reader->times_repaired = span->repaired;
}
