/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Times that a file says and that can be: so many seconds around 0 (126 years: some count from
 * 1970) and so many units of the time base that sums and differences of three fit into 64 bits, and
 * a difference in nanoseconds. What lies beyond is damage, or made to harm. */
#ifndef BATCHD_PROCESSORS_MEDIA_PACKET_TIME_H
#define BATCHD_PROCESSORS_MEDIA_PACKET_TIME_H

#include <libavutil/rational.h>
#include <stdbool.h>
#include <stdint.h>

struct AVPacket;

#define PACKET_TIME_SECONDS_MAX 4000000000
#define PACKET_TIME_UNITS_MAX (INT64_C(1) << 61)

/* Within these bounds; AV_NOPTS_VALUE is not. */
bool packet_time_is(int64_t time, AVRational base);
/* Takes away times that cannot be; false: there was one. A length that cannot be becomes none. */
bool packet_time_settle(struct AVPacket *packet, AVRational base);

#endif
