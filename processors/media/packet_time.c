/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/packet_time.h"

#include <libavcodec/packet.h>
#include <libavutil/avutil.h>
#include <libavutil/mathematics.h>

bool packet_time_is(int64_t time, AVRational base)
{
    const AVRational second = {1, 1};
    return time >= -PACKET_TIME_UNITS_MAX && time <= PACKET_TIME_UNITS_MAX &&
           av_compare_ts(time, base, PACKET_TIME_SECONDS_MAX, second) <= 0 &&
           av_compare_ts(time, base, -PACKET_TIME_SECONDS_MAX, second) >= 0;
}

static bool settle(int64_t *time, AVRational base)
{
    if (*time == AV_NOPTS_VALUE || packet_time_is(*time, base))
        return true;
    *time = AV_NOPTS_VALUE;
    return false;
}

bool packet_time_settle(struct AVPacket *packet, AVRational base)
{
    const bool shown = settle(&packet->pts, base);
    const bool decoded = settle(&packet->dts, base);
    if (!packet_time_is(packet->duration, base))
        packet->duration = 0;
    return shown && decoded;
}
