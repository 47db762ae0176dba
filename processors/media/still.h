/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Still pictures, read as videos of one frame: which files are some, and whether a JPEG is whole.
 */
#ifndef BATCHD_PROCESSORS_MEDIA_STILL_H
#define BATCHD_PROCESSORS_MEDIA_STILL_H

#include <libavcodec/packet.h>
#include <libavformat/avformat.h>
#include <stdbool.h>

/* Its demuxer, by what the file begins with, whatever its name is: of JPEG, PNG or WebP. NULL: it
 * is none of these, or an animated PNG. */
const AVInputFormat *still_format(const char *path);

/* Whether a JPEG has its end mark behind its pictures: libavcodec makes up what is missing, and
 * says so in a warning. True for others, whose decoders refuse what is cut off. */
bool still_is_whole(enum AVCodecID codec, const AVPacket *packet);

#endif
