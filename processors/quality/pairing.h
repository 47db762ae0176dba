/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which frame of the distorted belongs to which of the reference. Times count from the first frame
 * of each video. What does not lie against each other as the rule wants makes the whole comparison
 * void: numbers of frames that do not belong together would look like bad quality, or good. */
#ifndef BATCHD_PROCESSORS_QUALITY_PAIRING_H
#define BATCHD_PROCESSORS_QUALITY_PAIRING_H

#include "processors/quality/comparison.h"
#include "processors/quality/side.h"

/* Containers round times, Matroska to a millisecond; at 240 frames a second a frame lasts 4.2 ms.
 */
#define PAIRING_TOLERANCE_NS 2000000

struct pairing {
    enum pairing_rule rule;
    struct side *sides[SIDE_COUNT]; /* borrowed */
    AVFrame *frames[SIDE_COUNT];    /* owned; of the present pair */
    int64_t times_ns[SIDE_COUNT];   /* theirs */
    AVFrame *next;                  /* owned; of the distorted, for PAIR_TIME; blank: none */
    int64_t next_ns;
    int64_t pairs;    /* so far */
    int64_t drift_ns; /* the largest distance of times in a pair */
    int64_t drift_pair;
    int64_t repeated, passed_over; /* frames of the distorted, for PAIR_TIME */
    bool uneven;                   /* one side ended first */
};

/* *pairing must be zeroed but for rule and sides. */
void pairing_start(struct pairing *pairing);
void pairing_done(struct pairing *pairing);

/* The next pair, in frames and times_ns. false: there is none. */
bool pairing_next(struct pairing *pairing);

/* When both sides are read to their end: whether all lay against each other as the rule wants. -1
 * with ERROR_DAMAGED and the facts of both. */
int pairing_check(const struct pairing *pairing, struct error *err);

#endif
