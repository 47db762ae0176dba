/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Recordings that were put together byte by byte (cat a.ts b.ts, the files of a DVD, chained Ogg):
 * behind the joint time begins anew. Frames there would lie on those of before. */
#ifndef BATCHD_PROCESSORS_MEDIA_TIME_JOINT_H
#define BATCHD_PROCESSORS_MEDIA_TIME_JOINT_H

#include <stdint.h>

struct AVFormatContext;
struct AVPacket;

/* What a user can do, for error texts. */
const char *time_joint_help(const struct AVFormatContext *format);

/* By how much the packet's time of decoding is before *last, that of the packet of its stream
 * before it (AV_NOPTS_VALUE: there is none), which becomes the packet's; 0 where it is not, or
 * where packets merely lie out of order. */
int64_t time_joint_us(const struct AVFormatContext *format, const struct AVPacket *packet,
                      int64_t *last);

#endif
