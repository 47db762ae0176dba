/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parameters of a job, checked against each other. */
#ifndef BATCHD_PROCESSORS_QUALITY_OPTIONS_H
#define BATCHD_PROCESSORS_QUALITY_OPTIONS_H

#include "common/error.h"

#include <stdbool.h>

struct request;

enum metric { METRIC_PSNR, METRIC_SSIM, METRIC_COUNT };

extern const char *const metric_names[METRIC_COUNT];

/* How frames come to lie against each other. */
enum pairing_rule {
    PAIR_EXACT, /* frame by frame, and their times must agree */
    PAIR_NUMBER,
    PAIR_TIME, /* the distorted frame that is shown at the time of the reference's */
};

struct options {
    bool wanted[METRIC_COUNT];
    bool has_min[METRIC_COUNT];
    double min[METRIC_COUNT];
    bool vmaf_wanted; /* it is told as unavailable, with options_vmaf */
    enum pairing_rule pairing;
    bool scale; /* the distorted to the size of the reference */
};

/* *ret must be zeroed. 0, or -1 with ERROR_INVALID. */
int options_read(const struct request *request, struct options *ret, struct error *err);

/* Why there is no VMAF: FFmpeg of Debian 12 is built without it. */
const char *options_vmaf(void);

#endif
