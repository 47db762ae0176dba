/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/time_joint.h"

#include <libavformat/avformat.h>
#include <string.h>

/* Muxers that are a little out of order are not meant; recordings are longer. */
#define JUMP_US_MIN 500000

/* Of Ogg a copy has the headers of the second recording among its pictures. */
const char *time_joint_help(const AVFormatContext *format)
{
    return strcmp(format->iformat->name, "ogg") == 0
               ? "ffmpeg -f concat -i LIST -c copy NEW.mkv makes one of the recordings whose times "
                 "go on"
               : "ffmpeg -i FILE -map 0 -c copy NEW.ts makes one whose times go on";
}

int64_t time_joint_us(const AVFormatContext *format, const AVPacket *packet, int64_t *last)
{
    if ((format->iformat->flags & AVFMT_TS_DISCONT) == 0 || packet->dts == AV_NOPTS_VALUE)
        return 0;
    const AVRational base = format->streams[packet->stream_index]->time_base;
    const int64_t back = *last == AV_NOPTS_VALUE
                             ? 0
                             : av_rescale_q(av_sat_sub64(*last, packet->dts), base, AV_TIME_BASE_Q);
    *last = packet->dts;
    return back >= JUMP_US_MIN ? back : 0;
}
