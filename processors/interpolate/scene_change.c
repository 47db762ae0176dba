/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/scene_change.h"

#include <math.h>
#include <stdlib.h>

/* Percent of 256, the mean difference of samples. */
#define THRESHOLD 10.0F
#define RANGE 256
/* Samples of a row that are compared at a time. */
#define RUN 16

/* Inline, with a constant count, so that the compiler makes vectors of it. */
static inline unsigned differences(const uint8_t *before, const uint8_t *after, int count)
{
    int sum = 0;
    for (int x = 0; x < count; x++)
        sum += abs(before[x] - after[x]);
    return (unsigned)sum;
}

static uint64_t row_differences(const uint8_t *before, const uint8_t *after, int width)
{
    uint64_t sum = 0;
    int x = 0;
    for (; x + RUN <= width; x += RUN)
        sum += differences(before + x, after + x, RUN);
    return sum + differences(before + x, after + x, width - x);
}

bool scene_changes(const struct plane *before, const struct plane *after, double *difference)
{
    uint64_t sum = 0;
    for (int y = 0; y < before->height; y++)
        sum += row_differences(before->data + y * before->stride, after->data + y * after->stride,
                               before->width);
    const double mean = (double)sum * 100.0 / ((double)before->width * before->height) / RANGE;
    const double change = fabs(mean - *difference);
    *difference = mean;
    return (float)fmin(mean, change) >= THRESHOLD;
}
