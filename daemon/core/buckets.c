#include "daemon/core/buckets.h"

#include <math.h>

const double buckets_of_jobs[BUCKETS_MAX] = {0.1, 0.5, 1,   5,    10,    30,
                                             60,  300, 900, 3600, 14400, 86400};
const double buckets_of_turns[BUCKETS_MAX] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                              0.01,   0.025,   0.05,   0.1,   0.5,    2.5};
const double buckets_of_requests[BUCKETS_MAX] = {0.0001, 0.001, 0.01, 0.1, 1, 10, INFINITY};

void buckets_add(struct buckets *buckets, const double *bounds, double seconds)
{
    unsigned at = 0;
    while (at < BUCKETS_MAX && seconds > bounds[at])
        at++;
    buckets->counts[at]++;
    buckets->sum += seconds;
}

void buckets_merge(struct buckets *buckets, const struct buckets *more)
{
    for (unsigned i = 0; i <= BUCKETS_MAX; i++)
        buckets->counts[i] += more->counts[i];
    buckets->sum += more->sum;
}

uint64_t buckets_count(const struct buckets *buckets)
{
    uint64_t count = 0;
    for (unsigned i = 0; i <= BUCKETS_MAX; i++)
        count += buckets->counts[i];
    return count;
}
