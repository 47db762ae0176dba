/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/encoder.h"

#include "common/alloc.h"
#include "processors/media/gpu_encoder.h"
#include "processors/media/media_log.h"

#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PRESETS 9
#define LIBRARY_OPTIONS_BYTES 512

/* From the slowest presets to the fastest there is no common scale: x264 and x265 have these names,
 * SVT-AV1 counts 4 (slow) to 12, libvpx 0 (slow) to 5 with its deadline "good". */
static const char *const preset_names[PRESETS] = {
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"};

struct kind {
    const char *codec, *library;
    int crf_default, crf_max; /* as their own documentation recommends for like quality */
    const char *speed_option; /* what a preset sets */
    int speeds[PRESETS];      /* -1: the name itself */
};

static const struct kind kinds[] = {
    {"h264", "libx264", 23, 51, "preset", {-1, -1, -1, -1, -1, -1, -1, -1, -1}},
    {"h265", "libx265", 28, 51, "preset", {-1, -1, -1, -1, -1, -1, -1, -1, -1}},
    {"av1", "libsvtav1", 35, 63, "preset", {12, 11, 10, 9, 8, 7, 6, 5, 4}},
    {"vp9", "libvpx-vp9", 32, 63, "cpu-used", {5, 5, 5, 4, 3, 2, 1, 1, 0}},
};

static const struct kind *find(const char *codec)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].codec, codec) == 0)
            return &kinds[i];
    }
    return &kinds[0]; /* the manifest lets no other name in */
}

static int add_file(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    static const char *const names[] = {
        "libx264",  "libx265",           "libSvtAv1Enc", "libvpx", /* and drivers: */
        "libcuda.", "libnvidia-encode.", "_drv_video.",  "libmfx", "libvpl"};
    char **list = arg;
    struct stat file;
    (void)bytes;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(info->dlpi_name, names[i]) == NULL || stat(info->dlpi_name, &file) < 0)
            continue;
        char *longer = xasprintf("%s%s %lld %lld;", *list, info->dlpi_name, (long long)file.st_size,
                                 (long long)file.st_mtim.tv_sec);
        free(*list);
        *list = longer;
    }
    return 0;
}

char *encoder_files(void)
{
    char *list = xstrdup("");
    (void)dl_iterate_phdr(add_file, &list);
    return list;
}

int encoder_crf_default(const char *codec)
{
    return find(codec)->crf_default;
}

int encoder_check_crf(const char *codec, int crf, struct error *err)
{
    const int most = find(codec)->crf_max;
    return crf <= most ? 0
                       : error_set_field(err, "params.crf",
                                         "params.crf is %d; with codec %s it must be from 0 to %d",
                                         crf, codec, most);
}

enum AVPixelFormat encoder_format(const char *codec, enum AVPixelFormat source)
{
    const AVPixFmtDescriptor *is = av_pix_fmt_desc_get(source);
    const bool deep = is != NULL && is->comp[0].depth > 8;
    return deep && strcmp(codec, "h264") != 0 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
}

static void set_speed(const struct kind *kind, const char *preset, void *options)
{
    for (int i = 0; i < PRESETS; i++) {
        if (strcmp(preset_names[i], preset) != 0)
            continue;
        if (kind->speeds[i] < 0)
            (void)av_opt_set(options, kind->speed_option, preset, 0);
        else
            (void)av_opt_set_int(options, kind->speed_option, kind->speeds[i], 0);
    }
}

/* x264's code for AVX-512 reads memory that nobody wrote: the same pictures gave other bytes in
 * memory that was used before (0.164, "faster" and slower, seen with MALLOC_PERTURB_). Whoever has
 * AVX-512 has AVX2. */
static bool has_avx512(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

/* Chunks are closed: no picture refers to one before the key frame that each begins with. */
static void set_library(const struct kind *kind, const struct encoder_settings *settings,
                        AVCodecContext *encoder)
{
    char text[LIBRARY_OPTIONS_BYTES];
    char light[LIBRARY_OPTIONS_BYTES / 2] = "";
    const unsigned threads = settings->threads;
    void *options = encoder->priv_data;
    if (strcmp(kind->codec, "h265") == 0) {
        if (settings->light != NULL)
            colour_x265(settings->light, light, sizeof(light));
        (void)snprintf(text, sizeof(text),
                       "log-level=none:open-gop=0:keyint=%d:pools=%u:frame-threads=1%s",
                       ENCODER_KEY_DISTANCE, threads, light);
        (void)av_opt_set(options, "x265-params", text, 0);
    } else if (strcmp(kind->codec, "h264") == 0 && has_avx512()) {
        (void)av_opt_set(options, "x264-params", "asm=avx2", 0);
    } else if (strcmp(kind->codec, "av1") == 0) {
        if (settings->light != NULL)
            colour_svtav1(settings->light, light, sizeof(light));
        (void)snprintf(text, sizeof(text), "lp=%u%s", threads, light);
        (void)av_opt_set(options, "svtav1-params", text, 0);
    } else if (strcmp(kind->codec, "vp9") == 0) {
        (void)av_opt_set(options, "deadline", "good", 0);
        (void)av_opt_set_int(options, "row-mt", 1, 0);
        encoder->bit_rate = 0; /* constant quality */
    }
}

const char *encoder_name(const struct encoder_settings *settings)
{
    return settings->library != NULL ? settings->library : find(settings->codec)->library;
}

static void set_software(const struct encoder_settings *settings, AVCodecContext *encoder)
{
    const struct kind *kind = find(settings->codec);
    set_speed(kind, settings->preset, encoder->priv_data);
    (void)av_opt_set_double(encoder->priv_data, "crf", settings->crf, 0);
    (void)av_opt_set_int(encoder->priv_data, "crf", settings->crf, 0);
    set_library(kind, settings, encoder);
}

int encoder_send(AVCodecContext *encoder, const AVFrame *frame)
{
    if (frame == NULL || encoder->hw_frames_ctx == NULL)
        return avcodec_send_frame(encoder, frame);
    AVFrame *there = av_frame_alloc(); /* on the card */
    if (there == NULL)
        out_of_memory();
    int rc = av_hwframe_get_buffer(encoder->hw_frames_ctx, there, 0);
    if (rc >= 0)
        rc = av_hwframe_transfer_data(there, frame, 0);
    if (rc >= 0)
        rc = av_frame_copy_props(there, frame);
    if (rc >= 0)
        rc = avcodec_send_frame(encoder, there);
    av_frame_free(&there);
    return rc;
}

int encoder_open(const struct encoder_settings *settings, AVCodecContext **ret, struct error *err)
{
    const char *name = encoder_name(settings);
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (codec == NULL)
        return error_set(err, ERROR_INTERNAL, "this FFmpeg has no %s", name);
    AVCodecContext *encoder = *ret = avcodec_alloc_context3(codec);
    if (encoder == NULL)
        out_of_memory();
    encoder->width = settings->width;
    encoder->height = settings->height;
    encoder->pix_fmt = settings->format;
    encoder->time_base = settings->time_base;
    encoder->framerate = settings->rate;
    encoder->sample_aspect_ratio = settings->pixel_aspect;
    encoder->color_range = AVCOL_RANGE_MPEG;
    encoder->color_primaries = settings->primaries;
    encoder->color_trc = settings->transfer;
    encoder->colorspace = settings->space;
    encoder->chroma_sample_location = settings->chroma;
    encoder->gop_size = ENCODER_KEY_DISTANCE;
    encoder->thread_count = (int)settings->threads;
    encoder->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    if (settings->library == NULL)
        set_software(settings, encoder);
    int rc = gpu_encoder_set(encoder, settings->preset, settings->crf);
    if (rc >= 0)
        rc = avcodec_open2(encoder, codec, NULL);
    return rc < 0 ? media_error(err, ERROR_INTERNAL, rc, "%s refuses pictures of %dx%d", name,
                                settings->width, settings->height)
                  : 0;
}
