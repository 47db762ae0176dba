/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pairs of frames in, their PSNR and SSIM out, by the filters `psnr` and `ssim` of libavfilter.
 *
 * Both are compared as they are shown (turned by their display matrix), in the pixel format and
 * range of the reference; the distorted is brought to those. Another size is scaled when that was
 * asked for, else refused. */
#ifndef BATCHD_PROCESSORS_QUALITY_COMPARISON_H
#define BATCHD_PROCESSORS_QUALITY_COMPARISON_H

#include "processors/quality/scores.h"

#include <libavfilter/avfilter.h>
#include <libavutil/frame.h>

enum { REFERENCE, DISTORTED, SIDE_COUNT };

struct frame_shape {
    int width, height;
    enum AVPixelFormat format;
    bool full_range;
};

struct comparison {
    const struct options *options;       /* borrowed */
    const int32_t *matrices[SIDE_COUNT]; /* display matrices, borrowed; NULL: none */
    bool is_still[SIDE_COUNT];           /* its matrix comes with the picture */
    unsigned threads;
    /* Takes the scores of each pair, in the order of the pairs. 0 or -1 with err. */
    int (*take)(void *arg, const struct frame_scores *scores, struct error *err);
    void *arg;

    AVFilterGraph *graph;                        /* NULL before the first pair */
    AVFilterContext *sources[SIDE_COUNT], *sink; /* borrowed from graph */
    struct frame_shape shapes[SIDE_COUNT];       /* that the graph was made for */
    int32_t still_matrices[SIDE_COUNT][9];
    AVFrame *compared;
    int64_t pairs;
};

/* *comparison must be zeroed but for the members above `graph`; comparison_close in any case. */
void comparison_close(struct comparison *comparison);

/* Borrows the frames; changes their pts. -1: the sizes differ, or it cannot be done. */
int comparison_pair(struct comparison *comparison, AVFrame *frames[SIDE_COUNT], int64_t time_us,
                    struct error *err);
/* The scores that are still under way. */
int comparison_finish(struct comparison *comparison, struct error *err);

#endif
