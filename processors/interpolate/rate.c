/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/interpolate/rate.h"

#include "processors/lib/request.h"
#include "processors/media/frame_rate.h"

#include <math.h>
#include <stdbool.h>

/* Of a rate's numerator and denominator: with 2^31 some encoders refuse the times made of it. */
#define PART_MAX 1000000
/* Containers that round times are off by less in the mean. */
#define CONSTANT_TOLERANCE 0.01

static AVRational choose(AVRational average, AVRational guessed)
{
    const bool has_average = average.num > 0 && average.den > 0;
    const bool has_guess = guessed.num > 0 && guessed.den > 0;
    if (!has_average || !has_guess)
        return has_average ? average : guessed;
    return fabs(av_q2d(average) / av_q2d(guessed) - 1) < CONSTANT_TOLERANCE ? guessed : average;
}

AVRational rate_of_source(AVRational average, AVRational guessed)
{
    AVRational rate = choose(average, guessed);
    (void)av_reduce(&rate.num, &rate.den, rate.num, rate.den, PART_MAX);
    return rate;
}

int rate_read(const struct request *request, AVRational source, AVRational *ret, struct error *err)
{
    const double fps = request_number(request, "fps", 0);
    const int factor = request_int(request, "factor", 0);
    if (fps > 0 && factor > 0)
        return error_set_field(err, "params.factor",
                               "params.factor is %d and params.fps %g; only one may be given",
                               factor, fps);
    if (fps <= 0 && factor == 0)
        return error_set_field(err, "params.fps",
                               "params.fps is missing; it or params.factor is required");
    *ret = factor > 0 ? av_mul_q(source, (AVRational){factor, 1}) : frame_rate_exact(fps);
    if (av_cmp_q(*ret, source) <= 0)
        return error_set_field(err, "params.fps",
                               "params.fps is %g; it must be more than the input's %.6g", fps,
                               av_q2d(source));
    return 0;
}
