/* How many of something were at most so large, for fixed bounds, as Prometheus's histograms are:
 * for who looks at the daemon from outside. Pure. */
#ifndef BATCHD_DAEMON_CORE_BUCKETS_H
#define BATCHD_DAEMON_CORE_BUCKETS_H

#include <stdint.h>

#define BUCKETS_MAX 12U

/* Seconds; rising, an infinite one is the last. For how long jobs wait and run, for what the daemon
 * does itself, and, few as there are many such histograms, for how long requests take. */
extern const double buckets_of_jobs[BUCKETS_MAX];
extern const double buckets_of_turns[BUCKETS_MAX];
extern const double buckets_of_requests[BUCKETS_MAX];

struct buckets {
    uint64_t counts[BUCKETS_MAX + 1]; /* each by itself; the last: above all bounds */
    double sum;                       /* seconds */
};

/* One more time; and all that another has, which is of the same bounds. */
void buckets_add(struct buckets *buckets, const double *bounds, double seconds);
void buckets_merge(struct buckets *buckets, const struct buckets *more);
uint64_t buckets_count(const struct buckets *buckets);

#endif
