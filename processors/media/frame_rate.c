/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/frame_rate.h"

#include <math.h>

/* 59.94 and 23.976 differ from N*1000/1001 by less than 0.001, from other rates by more. */
#define NTSC_TOLERANCE 0.001
/* Of the denominator of other rates. */
#define DENOMINATOR_MAX 1000

AVRational frame_rate_exact(double fps)
{
    const double whole = round(fps * 1001 / 1000);
    if (fabs(fps - round(fps)) > NTSC_TOLERANCE && fabs(fps - whole * 1000 / 1001) < NTSC_TOLERANCE)
        return (AVRational){(int)whole * 1000, 1001};
    return av_d2q(fps, DENOMINATOR_MAX * 1000);
}
