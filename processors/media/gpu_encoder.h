/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The encoders that are built into GPUs, as FFmpeg names them, and how each is told the speed and
 * the quality that the ones in software are told. Whether one works is hardware.h's to find out. */
#ifndef BATCHD_PROCESSORS_MEDIA_GPU_ENCODER_H
#define BATCHD_PROCESSORS_MEDIA_GPU_ENCODER_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

#define GPU_ENCODERS 11U /* of all codecs together */

/* The encoders of a codec (h264, h265, av1, vp9) by number, in the order in which they are to be
 * tried; NULL: there is none of that number. */
const char *gpu_encoder_of(const char *codec, size_t number);
bool gpu_encoder_is(const char *encoder);

/* Before avcodec_open2; any other encoder is left as it is. Size and pixel format are set already.
 * 0 or an AVERROR. */
int gpu_encoder_set(AVCodecContext *encoder, const char *preset, int crf);

#endif
