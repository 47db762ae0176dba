/* How many spans of which length there were: eight buckets to each doubling, so that what is read
 * back from one is off by 1/16 at most, in little room. Pure. */
#ifndef BATCHD_DAEMON_CORE_HISTOGRAM_H
#define BATCHD_DAEMON_CORE_HISTOGRAM_H

#include <stdint.h>

/* Below 16 us each has its own; the last holds all from 2^43 us (101 days) * 15/8 on. */
#define HISTOGRAM_BUCKETS 336U

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
};

/* A negative span counts as 0. */
void histogram_add(struct histogram *histogram, int64_t us);
void histogram_merge(struct histogram *histogram, const struct histogram *more);
uint64_t histogram_total(const struct histogram *histogram);

/* The span that `share` (0..1) of all are not longer than (the nearest rank): the middle of its
 * bucket, within 1/16 of it. 0 when it is empty. */
int64_t histogram_percentile(const struct histogram *histogram, double share);

/* "BUCKET:COUNT BUCKET:COUNT", of those that are not empty; owned by the caller. */
char *histogram_format(const struct histogram *histogram);
/* Adds what such a text says. 0, or -1 when it is none: nothing was added then. */
int histogram_parse(const char *text, struct histogram *histogram);

#endif
