/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The video encoders: one name, one scale of presets and one default of quality for each codec,
 * whatever its library calls them. Frames in, packets out, nothing shared between two encoders; the
 * same settings and frames give the same bytes. */
#ifndef BATCHD_PROCESSORS_MEDIA_ENCODER_H
#define BATCHD_PROCESSORS_MEDIA_ENCODER_H

#include "common/error.h"
#include "processors/media/colour.h"

#include <libavcodec/avcodec.h>

/* Frames between two key frames, and so the longest chunk: x264's own default is 250. */
#define ENCODER_KEY_DISTANCE 250

struct encoder_settings {
    const char *codec;   /* h264, h265, av1 or vp9 */
    const char *library; /* an encoder in hardware (hardware.h); NULL: the codec's own library */
    const char *preset;  /* ultrafast to veryslow */
    int crf;
    unsigned threads;
    int width, height;
    enum AVPixelFormat format;
    AVRational time_base, rate, pixel_aspect;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace space;
    enum AVChromaLocation chroma;
    /* Of HDR, for encoders that write it into the stream (x265, SVT-AV1); NULL: nothing is told;
     * borrowed. */
    const struct colour *light;
};

/* The files of the encoders that are loaded, with sizes and times: another build of one gives other
 * bytes. The caller frees. */
char *encoder_files(void);
/* The constant quality when none is asked for. */
int encoder_crf_default(const char *codec);
/* Whether the codec has this quality. 0, or -1 with ERROR_INVALID. */
int encoder_check_crf(const char *codec, int crf, struct error *err);
/* What it is given: 8 bits, or 10 where the source has more than 8 and the codec is not H.264,
 * whose 10 bits few players take. */
enum AVPixelFormat encoder_format(const char *codec, enum AVPixelFormat source);

/* That the settings mean: "libx264". */
const char *encoder_name(const struct encoder_settings *settings);
int encoder_open(const struct encoder_settings *settings, AVCodecContext **ret, struct error *err);
/* As avcodec_send_frame, to where the encoder takes its pictures from. */
int encoder_send(AVCodecContext *encoder, const AVFrame *frame);

#endif
