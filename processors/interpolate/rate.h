/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the parameters fps or factor and the input's rate to the output's. */
#ifndef BATCHD_PROCESSORS_INTERPOLATE_RATE_H
#define BATCHD_PROCESSORS_INTERPOLATE_RATE_H

#include "common/error.h"

#include <libavutil/rational.h>

struct request;

/* Of a video, in the mean: `guessed` is what a constant rate would be, which for a variable one is
 * the rate of its shortest steps. */
AVRational rate_of_source(AVRational average, AVRational guessed);

/* Frames a second, exactly. `source` is the input's rate. 0, or -1 with ERROR_INVALID. */
int rate_read(const struct request *request, AVRational source, AVRational *ret, struct error *err);

#endif
