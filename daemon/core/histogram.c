#include "daemon/core/histogram.h"

#include "common/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Eight buckets to each doubling: three bits behind the highest one. */
#define BITS 3U
#define PER_DOUBLING (1U << BITS)
/* "335:" and a number of 20 digits and a blank. */
#define PAIR_BYTES 26U

static unsigned bucket_of(int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;
    if (value < PER_DOUBLING)
        return (unsigned)value;
    unsigned high = 63U - (unsigned)__builtin_clzll(value);
    unsigned bucket = (high - BITS + 1) * PER_DOUBLING +
                      ((unsigned)(value >> (high - BITS)) & (PER_DOUBLING - 1));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static int64_t middle_of(unsigned bucket)
{
    if (bucket < 2 * PER_DOUBLING)
        return bucket;
    unsigned shift = bucket / PER_DOUBLING - 1;
    int64_t lowest = (int64_t)(PER_DOUBLING + bucket % PER_DOUBLING) << shift;
    return lowest + ((INT64_C(1) << shift) - 1) / 2;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    histogram->counts[bucket_of(us)]++;
}

void histogram_merge(struct histogram *histogram, const struct histogram *more)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] += more->counts[i];
}

uint64_t histogram_total(const struct histogram *histogram)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += histogram->counts[i];
    return total;
}

int64_t histogram_percentile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram_total(histogram);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= wanted)
            return middle_of(i);
    }
    return 0;
}

char *histogram_format(const struct histogram *histogram)
{
    char *text = xcalloc(1, HISTOGRAM_BUCKETS * PAIR_BYTES + 1);
    size_t length = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->counts[i] > 0)
            length += (size_t)snprintf(text + length, PAIR_BYTES + 1, "%s%u:%" PRIu64,
                                       length == 0 ? "" : " ", i, histogram->counts[i]);
    }
    return text;
}

/* One number and the character behind it; NULL: there is none. */
static const char *read_number(const char *text, char behind, uint64_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9')
        return NULL;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (errno != 0 || (*end != behind && *end != '\0') || (behind == ':' && *end == '\0'))
        return NULL;
    return *end == '\0' ? end : end + 1;
}

int histogram_parse(const char *text, struct histogram *histogram)
{
    struct histogram found = {.counts = {0}};
    while (*text != '\0') {
        uint64_t bucket, count;
        text = read_number(text, ':', &bucket);
        if (text == NULL || bucket >= HISTOGRAM_BUCKETS)
            return -1;
        text = read_number(text, ' ', &count);
        if (text == NULL)
            return -1;
        found.counts[bucket] += count;
    }
    histogram_merge(histogram, &found);
    return 0;
}
