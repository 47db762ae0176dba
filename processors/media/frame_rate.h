/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frame rates as people write them. */
#ifndef BATCHD_PROCESSORS_MEDIA_FRAME_RATE_H
#define BATCHD_PROCESSORS_MEDIA_FRAME_RATE_H

#include <libavutil/rational.h>

/* 29.97 is 30000/1001 and 23.976 is 24000/1001: what is within a thousandth of N * 1000 / 1001 and
 * of no whole number is meant so. */
AVRational frame_rate_exact(double fps);

#endif
