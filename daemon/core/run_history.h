/* How long the last runs of jobs that are alike took, beside how long each was predicted to take.
 * Pure. The estimate of the next run is the median of the last 15: it needs no assumption about the
 * spread, stays right while up to 7 of the 15 are outliers (breakdown point 1/2, where one outlier
 * moves a mean without bound), and has followed a lasting change after 8 runs. Spans are
 * microseconds. */
#ifndef BATCHD_DAEMON_CORE_RUN_HISTORY_H
#define BATCHD_DAEMON_CORE_RUN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#define RUN_HISTORY_MAX 15U

struct run_history {
    uint64_t samples; /* runs so far; the newest is at (samples - 1) % RUN_HISTORY_MAX */
    int64_t mean_us;  /* of about the last 256 */
    int64_t run_us[RUN_HISTORY_MAX];
    int64_t predicted_us[RUN_HISTORY_MAX]; /* 0: it was not predicted from this history */
};

/* How far off the predictions of the runs it holds were; all 0 when there was none.
 * `typical` is the median symmetric accuracy, exp(median |ln q|) - 1, and `bias` the symmetric
 * signed bias, sgn(m) (exp |m| - 1) with m = median ln q, where q = predicted / run (Morley, Brito,
 * Welling, "Measures of Model Performance Based On the Log Accuracy Ratio", Space Weather 16,
 * 2018). 0.25: half of the runs were within 25 % of the prediction, in either direction; twice too
 * long and twice too short count the same, and single outliers count little. A bias above 0:
 * predicted too long. */
struct run_error {
    unsigned count;
    int64_t mean_us; /* mean of |predicted - run| */
    double typical, bias;
};

/* A run of at least 1; predicted_us 0: it was not predicted from this history. */
void run_history_add(struct run_history *history, int64_t run_us, int64_t predicted_us);
unsigned run_history_kept(const struct run_history *history);
/* 0 when there was no run. */
int64_t run_history_median(const struct run_history *history);
void run_history_error(const struct run_history *history, struct run_error *ret);

/* Whether `estimate`, of a history of so many runs, says enough that is new against what was
 * published (0: nothing) to have waiting jobs moved: at 1, 2, 4, 8 and 15 runs, and then when it is
 * off by more than a quarter and 10 ms, below which no order of jobs is worth it. */
bool run_history_matters(uint64_t samples, int64_t estimate, int64_t published);

#endif
