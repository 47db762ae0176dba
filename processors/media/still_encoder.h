/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A still picture of a frame: JPEG or PNG. */
#ifndef BATCHD_PROCESSORS_MEDIA_STILL_ENCODER_H
#define BATCHD_PROCESSORS_MEDIA_STILL_ENCODER_H

#include <libavcodec/avcodec.h>

/* The whole file into *ret. The picture has a format that the codec takes; of a JPEG `quality` is
 * from 2 (best) to 31. 0, or an AVERROR. */
int still_encode(enum AVCodecID codec, int quality, AVFrame *picture, AVPacket *ret);

#endif
