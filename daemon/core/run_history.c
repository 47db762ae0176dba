#include "daemon/core/run_history.h"

#include <math.h>
#include <stddef.h>

#define MEAN_RUNS 256
#define NOISE_US 10000 /* no order of jobs is worth less */

void run_history_add(struct run_history *history, int64_t run_us, int64_t predicted_us)
{
    unsigned at = (unsigned)(history->samples % RUN_HISTORY_MAX);
    history->run_us[at] = run_us > 0 ? run_us : 1;
    history->predicted_us[at] = predicted_us;
    history->samples++;
    int64_t weight = history->samples < MEAN_RUNS ? (int64_t)history->samples : MEAN_RUNS;
    history->mean_us += (history->run_us[at] - history->mean_us) / weight;
}

unsigned run_history_kept(const struct run_history *history)
{
    return history->samples < RUN_HISTORY_MAX ? (unsigned)history->samples : RUN_HISTORY_MAX;
}

/* Sorts, which for 15 costs a tenth of qsort, at every end of a job; the mean of the middle two of
 * an even number. Spans of ten years are whole in a double. */
static double median_of(double *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        double value = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

int64_t run_history_median(const struct run_history *history)
{
    double values[RUN_HISTORY_MAX] = {0};
    unsigned kept = run_history_kept(history);
    for (unsigned i = 0; i < kept; i++)
        values[i] = (double)history->run_us[i];
    return kept == 0 ? 0 : (int64_t)median_of(values, kept);
}

void run_history_error(const struct run_history *history, struct run_error *ret)
{
    double signed_logs[RUN_HISTORY_MAX] = {0};
    double logs[RUN_HISTORY_MAX] = {0};
    int64_t sum = 0;
    *ret = (struct run_error){0};
    for (unsigned i = 0; i < run_history_kept(history); i++) {
        int64_t run = history->run_us[i];
        int64_t predicted = history->predicted_us[i];
        if (predicted <= 0)
            continue;
        signed_logs[ret->count] = log((double)predicted / (double)run);
        logs[ret->count++] = fabs(log((double)predicted / (double)run));
        sum += run > predicted ? run - predicted : predicted - run;
    }
    if (ret->count == 0)
        return;
    double middle = median_of(signed_logs, ret->count);
    ret->mean_us = sum / ret->count;
    ret->typical = expm1(median_of(logs, ret->count));
    ret->bias = copysign(expm1(fabs(middle)), middle);
}

bool run_history_matters(uint64_t samples, int64_t estimate, int64_t published)
{
    if (samples == 1 || samples == 2 || samples == 4 || samples == 8 || samples == RUN_HISTORY_MAX)
        return estimate != published;
    int64_t off = estimate > published ? estimate - published : published - estimate;
    return samples > RUN_HISTORY_MAX && off > NOISE_US && off > published / 4;
}
