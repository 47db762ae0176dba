/* Prometheus's text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): families of
 * samples, each with its help and type, label values escaped. */
#ifndef BATCHD_DAEMON_API_EXPOSITION_H
#define BATCHD_DAEMON_API_EXPOSITION_H

#include "daemon/core/buckets.h"

#include <stdint.h>
#include <stdio.h>

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Pairs of a name and a value, the first without a name ends them; at most two. */
struct labels {
    const char *name[2], *value[2];
};

/* Begins a family: its samples follow at once. type: "counter", "gauge", "histogram". */
void exposition_family(FILE *out, const char *name, const char *type, const char *help);

/* Samples of the family that was begun last. */
void exposition_count(FILE *out, const char *name, const struct labels *labels, uint64_t value);
void exposition_number(FILE *out, const char *name, const struct labels *labels, double value);
void exposition_histogram(FILE *out, const char *name, const struct labels *labels,
                          const struct buckets *buckets, const double *bounds);

/* A family of one sample without labels. */
void exposition_gauge(FILE *out, const char *name, const char *help, double value);
void exposition_counter(FILE *out, const char *name, const char *help, double value);

#endif
