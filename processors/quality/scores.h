/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The values of each pair of frames in, and what they come to out: mean, lowest frame, percentiles.
 *
 * Means: of SSIM that of the frames' values. Of PSNR that of the mean square errors, brought to dB
 * once, as FFmpeg's `average` and most others have it; frames alike to the bit have no PSNR in dB
 * (it is infinite) and count as error 0. One float a frame and metric is kept for the percentiles:
 * 10 hours at 60 frames a second take 17 MB. */
#ifndef BATCHD_PROCESSORS_QUALITY_SCORES_H
#define BATCHD_PROCESSORS_QUALITY_SCORES_H

#include "processors/quality/options.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define SCORES_PLANES_MAX 4

/* Of one metric for one pair. */
struct score {
    double all; /* over all planes; INFINITY for PSNR of equal frames */
    unsigned planes;
    char plane_names[SCORES_PLANES_MAX]; /* y u v, r g b */
    double plane[SCORES_PLANES_MAX];
};

struct frame_scores {
    int64_t time_us; /* of the reference's frame */
    struct score of[METRIC_COUNT];
};

struct score_series {
    float *values; /* owned; scores.count of them */
    double sum;    /* of SSIM, or of mean square errors over the square of the largest value */
    double plane_sums[SCORES_PLANES_MAX];
    struct score lowest;
    int64_t lowest_frame, lowest_us;
};

struct scores {
    const struct options *options; /* borrowed */
    size_t count, room;            /* pairs */
    struct score_series series[METRIC_COUNT];
};

/* *scores must be zeroed but for options. */
void scores_add(struct scores *scores, const struct frame_scores *frame);
void scores_done(struct scores *scores);

/* INFINITY: every frame is equal. Only after scores_add. */
double scores_mean(const struct scores *scores, enum metric metric);

/* {"mean", "min", "min_frame", "min_time", "p1", "p5", "planes": {"y": ...}}; what is infinite is
 * null. Sorts the values. Owned by the caller. */
json_t *scores_summary(struct scores *scores, enum metric metric);

/* A number, or null where it is infinite, which JSON has not. */
json_t *scores_number(double value);

#endif
