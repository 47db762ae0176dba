/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/gpu_encoder.h"

#include <assert.h>
#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <string.h>

/* Pictures that VAAPI's encoders hold at a time: those under way and their references. */
#define POOL_PICTURES 24

enum maker { NVENC, VAAPI, QSV };

/* Of one codec in the order in which they are tried. V4L2's (of small boards) are not among them:
 * they know a bit rate, and no constant quality. */
static const struct row {
    const char *codec, *encoder;
    enum maker maker;
} rows[] = {
    {"h264", "h264_nvenc", NVENC}, {"h264", "h264_vaapi", VAAPI}, {"h264", "h264_qsv", QSV},
    {"h265", "hevc_nvenc", NVENC}, {"h265", "hevc_vaapi", VAAPI}, {"h265", "hevc_qsv", QSV},
    {"av1", "av1_nvenc", NVENC},   {"av1", "av1_vaapi", VAAPI},   {"av1", "av1_qsv", QSV},
    {"vp9", "vp9_vaapi", VAAPI},   {"vp9", "vp9_qsv", QSV},
};
static_assert(sizeof(rows) / sizeof(rows[0]) == GPU_ENCODERS, "a place for each");

static const struct row *find(const char *encoder)
{
    for (size_t i = 0; i < GPU_ENCODERS && encoder != NULL; i++) {
        if (strcmp(rows[i].encoder, encoder) == 0)
            return &rows[i];
    }
    return NULL;
}

const char *gpu_encoder_of(const char *codec, size_t number)
{
    for (size_t i = 0; i < GPU_ENCODERS; i++) {
        if (strcmp(rows[i].codec, codec) == 0 && number-- == 0)
            return rows[i].encoder;
    }
    return NULL;
}

bool gpu_encoder_is(const char *encoder)
{
    return find(encoder) != NULL;
}

/* ---- its settings ---- */

/* One constant quantiser, which keeps its meaning from chunk to chunk; AV1 and VP9 count to 255
 * where crf counts to 63. */
static int quantiser_of(const struct row *row, int crf)
{
    const bool wide = strcmp(row->codec, "av1") == 0 || strcmp(row->codec, "vp9") == 0;
    return wide ? crf * 4 : crf;
}

static void set_nvenc(const char *preset, int quantiser, AVCodecContext *encoder)
{
    static const struct {
        const char *name, *is;
    } speeds[] = {{"ultrafast", "p1"}, {"superfast", "p1"}, {"veryfast", "p2"},
                  {"faster", "p3"},    {"fast", "p3"},      {"medium", "p4"},
                  {"slow", "p5"},      {"slower", "p6"},    {"veryslow", "p7"}};
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        if (strcmp(speeds[i].name, preset) == 0)
            (void)av_opt_set(encoder->priv_data, "preset", speeds[i].is, 0);
    }
    (void)av_opt_set(encoder->priv_data, "rc", "constqp", 0);
    (void)av_opt_set_int(encoder->priv_data, "qp", quantiser, 0);
    (void)av_opt_set_int(encoder->priv_data, "no-scenecut", 1, 0);
}

/* Its encoders take pictures that lie on the card alone. */
static int set_vaapi(int quantiser, AVCodecContext *encoder)
{
    AVBufferRef *device = NULL;
    (void)av_opt_set(encoder->priv_data, "rc_mode", "CQP", 0);
    encoder->global_quality = FFMAX(quantiser, 1); /* 0 is its default, not the best */
    int rc = av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_VAAPI, NULL, NULL, 0);
    if (rc < 0) { /* it keeps its words for those who listen to everything */
        av_log(encoder, AV_LOG_ERROR, "no VAAPI device is found in /dev/dri\n");
        return rc;
    }
    AVBufferRef *frames = av_hwframe_ctx_alloc(device);
    av_buffer_unref(&device);
    if (frames == NULL)
        return AVERROR(ENOMEM);
    AVHWFramesContext *is = (AVHWFramesContext *)(void *)frames->data;
    is->format = AV_PIX_FMT_VAAPI;
    is->sw_format = encoder->pix_fmt;
    is->width = encoder->width;
    is->height = encoder->height;
    is->initial_pool_size = POOL_PICTURES;
    rc = av_hwframe_ctx_init(frames);
    encoder->pix_fmt = AV_PIX_FMT_VAAPI;
    encoder->hw_frames_ctx = frames; /* freed with the encoder */
    return rc;
}

static void set_qsv(const char *preset, int quantiser, AVCodecContext *encoder)
{
    /* It has the names from veryfast on. */
    const bool faster = strcmp(preset, "ultrafast") == 0 || strcmp(preset, "superfast") == 0;
    (void)av_opt_set(encoder->priv_data, "preset", faster ? "veryfast" : preset, 0);
    encoder->flags |= AV_CODEC_FLAG_QSCALE;
    encoder->global_quality = quantiser * FF_QP2LAMBDA;
}

int gpu_encoder_set(AVCodecContext *encoder, const char *preset, int crf)
{
    const struct row *row = find(encoder->codec->name);
    const int level = row == NULL ? 0 : quantiser_of(row, crf);
    if (row == NULL)
        return 0;
    if (row->maker == VAAPI)
        return set_vaapi(level, encoder);
    if (row->maker == NVENC)
        set_nvenc(preset, level, encoder);
    else
        set_qsv(preset, level, encoder);
    return 0;
}
