/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/pairing.h"

#include "common/alloc.h"

#include <stdlib.h>

static AVFrame *blank(void)
{
    AVFrame *frame = av_frame_alloc();
    if (frame == NULL)
        out_of_memory();
    return frame;
}

/* ---- the distorted by time ---- */

static void fetch_next(struct pairing *pairing)
{
    if (!side_take(pairing->sides[DISTORTED], pairing->next, &pairing->next_ns))
        pairing->next_ns = INT64_MAX;
}

/* Goes on to the frame that is shown at this time. */
static bool show_at(struct pairing *pairing, int64_t time_ns)
{
    int64_t steps = 0;
    while (pairing->next_ns <= time_ns + PAIRING_TOLERANCE_NS) {
        av_frame_unref(pairing->frames[DISTORTED]);
        av_frame_move_ref(pairing->frames[DISTORTED], pairing->next);
        pairing->times_ns[DISTORTED] = pairing->next_ns;
        fetch_next(pairing);
        steps++;
    }
    pairing->repeated += steps == 0;
    pairing->passed_over += steps > 1 ? steps - 1 : 0;
    return pairing->frames[DISTORTED]->buf[0] != NULL;
}

/* ---- pairs ---- */

void pairing_start(struct pairing *pairing)
{
    pairing->frames[REFERENCE] = blank();
    pairing->frames[DISTORTED] = blank();
    pairing->next = blank();
    if (pairing->rule == PAIR_TIME)
        fetch_next(pairing);
}

void pairing_done(struct pairing *pairing)
{
    av_frame_free(&pairing->frames[REFERENCE]);
    av_frame_free(&pairing->frames[DISTORTED]);
    av_frame_free(&pairing->next);
}

static bool take(struct pairing *pairing, int side)
{
    av_frame_unref(pairing->frames[side]);
    return side_take(pairing->sides[side], pairing->frames[side], &pairing->times_ns[side]);
}

static void note_drift(struct pairing *pairing)
{
    const int64_t drift = llabs(pairing->times_ns[DISTORTED] - pairing->times_ns[REFERENCE]);
    if (drift > pairing->drift_ns) {
        pairing->drift_ns = drift;
        pairing->drift_pair = pairing->pairs;
    }
}

bool pairing_next(struct pairing *pairing)
{
    const bool has_reference = take(pairing, REFERENCE);
    if (pairing->rule == PAIR_TIME) {
        if (!has_reference || !show_at(pairing, pairing->times_ns[REFERENCE]))
            return false;
    } else {
        const bool has_distorted = take(pairing, DISTORTED);
        pairing->uneven = has_reference != has_distorted;
        if (!has_reference || !has_distorted)
            return false;
    }
    note_drift(pairing);
    pairing->pairs++;
    return true;
}

/* ---- the check ---- */

static double seconds(const struct side *side)
{
    return (double)reader_duration_us(&side->reader) / 1e6;
}

/* Puts what both hold behind the text. */
static int refuse(const struct pairing *pairing, struct error *err, const char *rule)
{
    const struct side *reference = pairing->sides[REFERENCE];
    const struct side *distorted = pairing->sides[DISTORTED];
    return error_set(err, ERROR_DAMAGED,
                     "reference has %lld frames in %.3f s, distorted %lld in %.3f s; %s",
                     (long long)reference->reader.frames, seconds(reference),
                     (long long)distorted->reader.frames, seconds(distorted), rule);
}

static int check_numbers(const struct pairing *pairing, struct error *err)
{
    char rule[160];
    if (pairing->uneven)
        return refuse(pairing, err,
                      pairing->rule == PAIR_NUMBER
                          ? "align number wants as many"
                          : "they must be as many; align time or both compares by time");
    if (pairing->rule == PAIR_NUMBER || pairing->drift_ns <= PAIRING_TOLERANCE_NS)
        return 0;
    (void)snprintf(rule, sizeof(rule),
                   "frame %lld is shown %.1f ms apart; align time, both or number says how they "
                   "belong together",
                   (long long)pairing->drift_pair, (double)pairing->drift_ns / 1e6);
    return refuse(pairing, err, rule);
}

/* The longer mean distance of frames: the end of a video is known no better, because the length of
 * its last frame often is not told. */
static int64_t longest_frame_us(const struct pairing *pairing)
{
    int64_t longest = 0;
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct reader *reader = &pairing->sides[side]->reader;
        longest = FFMAX(longest, reader_duration_us(reader) / FFMAX(reader->frames, 1));
    }
    return longest;
}

static int check_lengths(const struct pairing *pairing, struct error *err)
{
    const int64_t apart_us = llabs(reader_duration_us(&pairing->sides[REFERENCE]->reader) -
                                   reader_duration_us(&pairing->sides[DISTORTED]->reader));
    if (apart_us <= longest_frame_us(pairing) + PAIRING_TOLERANCE_NS / 1000)
        return 0;
    return refuse(pairing, err, "to compare by time they must last as long, to a frame");
}

int pairing_check(const struct pairing *pairing, struct error *err)
{
    return pairing->rule == PAIR_TIME ? check_lengths(pairing, err) : check_numbers(pairing, err);
}
