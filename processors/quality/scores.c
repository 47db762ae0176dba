/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/scores.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* PSNR in dB is -10 log10 of the noise, the mean square error over the square of the largest
 * value; noise can be added up. */
static double noise_of(double psnr)
{
    return isinf(psnr) ? 0 : pow(10, -psnr / 10);
}

static double psnr_of(double noise)
{
    return noise > 0 ? -10 * log10(noise) : INFINITY;
}

static double summand(enum metric metric, double value)
{
    return metric == METRIC_PSNR ? noise_of(value) : value;
}

static double mean_of(enum metric metric, double sum, size_t count)
{
    const double mean = sum / (double)count;
    return metric == METRIC_PSNR ? psnr_of(mean) : mean;
}

static void make_room(struct scores *scores)
{
    if (scores->count < scores->room)
        return;
    scores->room = scores->room == 0 ? 4096 : 2 * scores->room;
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        struct score_series *series = &scores->series[metric];
        if (scores->options->wanted[metric])
            series->values = xreallocarray(series->values, scores->room, sizeof(*series->values));
    }
}

static void add(struct scores *scores, enum metric metric, const struct frame_scores *frame)
{
    struct score_series *series = &scores->series[metric];
    const struct score *score = &frame->of[metric];
    series->values[scores->count] = (float)score->all;
    series->sum += summand(metric, score->all);
    for (unsigned i = 0; i < score->planes; i++)
        series->plane_sums[i] += summand(metric, score->plane[i]);
    if (scores->count > 0 && score->all >= series->lowest.all)
        return;
    series->lowest = *score;
    series->lowest_frame = (int64_t)scores->count;
    series->lowest_us = frame->time_us;
}

void scores_add(struct scores *scores, const struct frame_scores *frame)
{
    make_room(scores);
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (scores->options->wanted[metric])
            add(scores, (enum metric)metric, frame);
    }
    scores->count++;
}

void scores_done(struct scores *scores)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        free(scores->series[metric].values);
    memset(scores->series, 0, sizeof(scores->series));
}

double scores_mean(const struct scores *scores, enum metric metric)
{
    return mean_of(metric, scores->series[metric].sum, scores->count);
}

json_t *scores_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static int by_value(const void *left, const void *right)
{
    const float a = *(const float *)left;
    const float b = *(const float *)right;
    return (a > b) - (a < b);
}

/* By nearest rank, of sorted values: so many of a hundred are not above it. */
static double percentile(const float *values, size_t count, unsigned percent)
{
    return values[(count * percent + 99) / 100 - 1];
}

static json_t *plane_means(const struct scores *scores, enum metric metric)
{
    const struct score_series *series = &scores->series[metric];
    json_t *planes = json_object();
    for (unsigned i = 0; i < series->lowest.planes; i++) {
        const char name[2] = {series->lowest.plane_names[i], '\0'};
        json_put(planes, name,
                 scores_number(mean_of(metric, series->plane_sums[i], scores->count)));
    }
    return planes;
}

json_t *scores_summary(struct scores *scores, enum metric metric)
{
    const struct score_series *series = &scores->series[metric];
    json_t *summary = json_object();
    qsort(series->values, scores->count, sizeof(*series->values), by_value);
    json_put(summary, "mean", scores_number(scores_mean(scores, metric)));
    json_put(summary, "min", scores_number(series->lowest.all));
    json_put_int(summary, "min_frame", series->lowest_frame);
    json_put(summary, "min_time", json_real((double)series->lowest_us / US_PER_SECOND));
    json_put(summary, "p1", scores_number(percentile(series->values, scores->count, 1)));
    json_put(summary, "p5", scores_number(percentile(series->values, scores->count, 5)));
    json_put(summary, "planes", plane_means(scores, metric));
    return summary;
}
