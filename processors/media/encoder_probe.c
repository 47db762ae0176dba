/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/encoder_probe.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/encoder.h"
#include "processors/media/media_log.h"

#include <libswscale/swscale.h>
#include <stdlib.h>

/* Of 255: the mean of what a picture may differ by. The gradient that is shown spans them all, and
 * the coarsest quantiser is 10 off. */
#define DIFFERENCE_MAX 24

struct probe {
    const struct encoder_settings *settings;
    struct media_account log; /* the encoder's */
    AVCodecContext *encoder, *decoder;
    AVPacket *packet;
    AVFrame *shown, *decoded; /* as grey pictures: the first and the last of the way */
    int pictures;
};

static void probe_close(struct probe *probe)
{
    avcodec_free_context(&probe->encoder);
    avcodec_free_context(&probe->decoder);
    av_packet_free(&probe->packet);
    av_frame_free(&probe->shown);
    av_frame_free(&probe->decoded);
}

/* The driver's words, where there are any, else FFmpeg's for the number. */
static int fail(const struct probe *probe, int rc, const char *what, struct error *err)
{
    char said[MEDIA_LOG_LINE_BYTES];
    char number[AV_ERROR_MAX_STRING_SIZE] = "";
    (void)av_strerror(rc, number, sizeof(number));
    media_log_first(&probe->log, MEDIA_LOG_OTHER, said, sizeof(said));
    return error_set(err,
                     rc == AVERROR(ENOMEM) || rc == AVERROR(EAGAIN) ? ERROR_BUSY : ERROR_INTERNAL,
                     "%s: %s", what, said[0] == '\0' ? number : said);
}

/* ---- pictures ---- */

static AVFrame *new_picture(int width, int height, enum AVPixelFormat format)
{
    AVFrame *picture = av_frame_alloc();
    if (picture == NULL)
        out_of_memory();
    picture->width = width;
    picture->height = height;
    picture->format = format;
    if (av_frame_get_buffer(picture, 0) < 0)
        out_of_memory();
    return picture;
}

/* NULL: it cannot be brought to that format. */
static AVFrame *converted(const AVFrame *picture, enum AVPixelFormat format)
{
    AVFrame *made = new_picture(picture->width, picture->height, format);
    struct SwsContext *scaler =
        sws_getContext(picture->width, picture->height, picture->format, picture->width,
                       picture->height, format, SWS_BILINEAR, NULL, NULL, NULL);
    if (scaler == NULL ||
        sws_scale(scaler, (const uint8_t *const *)picture->data, picture->linesize, 0,
                  picture->height, made->data, made->linesize) < 0)
        av_frame_free(&made);
    sws_freeContext(scaler);
    return made;
}

/* From black to white, left to right: upside down, shifted or empty is another picture. */
static AVFrame *gradient(int width, int height)
{
    AVFrame *picture = new_picture(width, height, AV_PIX_FMT_GRAY8);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++)
            picture->data[0][(ptrdiff_t)y * picture->linesize[0] + x] =
                (uint8_t)((255 * x / width + 255 * y / height) / 2);
    }
    return picture;
}

static bool looks_like(const AVFrame *a, const AVFrame *b)
{
    int64_t sum = 0;
    for (int y = 0; y < a->height; y++) {
        for (int x = 0; x < a->width; x++)
            sum += abs(a->data[0][(ptrdiff_t)y * a->linesize[0] + x] -
                       b->data[0][(ptrdiff_t)y * b->linesize[0] + x]);
    }
    return sum <= (int64_t)DIFFERENCE_MAX * a->width * a->height;
}

/* ---- the way through ---- */

static int open_decoder(struct probe *probe, struct error *err)
{
    AVCodecParameters *is = avcodec_parameters_alloc();
    probe->decoder = avcodec_alloc_context3(avcodec_find_decoder(probe->encoder->codec_id));
    if (is == NULL || probe->decoder == NULL)
        out_of_memory();
    int rc = avcodec_parameters_from_context(is, probe->encoder);
    is->format = probe->settings->format; /* not the card's own */
    if (rc >= 0)
        rc = avcodec_parameters_to_context(probe->decoder, is);
    avcodec_parameters_free(&is);
    probe->decoder->thread_count = 1;
    if (rc >= 0)
        rc = avcodec_open2(probe->decoder, NULL, NULL);
    return rc < 0 ? fail(probe, rc, "its decoder does not open", err) : 0;
}

static int take_decoded(struct probe *probe, struct error *err)
{
    AVFrame *frame = av_frame_alloc();
    int rc;
    if (frame == NULL)
        out_of_memory();
    while ((rc = avcodec_receive_frame(probe->decoder, frame)) >= 0) {
        probe->pictures++;
        if (probe->decoded == NULL)
            probe->decoded = converted(frame, AV_PIX_FMT_GRAY8);
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : fail(probe, rc, "what it encodes does not decode", err);
}

static int decode(struct probe *probe, const AVPacket *packet, struct error *err)
{
    const int rc = avcodec_send_packet(probe->decoder, packet);
    return rc < 0 && rc != AVERROR_EOF ? fail(probe, rc, "what it encodes does not decode", err)
                                       : take_decoded(probe, err);
}

static int encode(struct probe *probe, const AVFrame *picture, struct error *err)
{
    int rc = encoder_send(probe->encoder, picture);
    while (rc >= 0) {
        rc = avcodec_receive_packet(probe->encoder, probe->packet);
        if (rc < 0)
            break;
        const int result = decode(probe, probe->packet, err);
        av_packet_unref(probe->packet);
        if (result < 0)
            return -1;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : fail(probe, rc, "it does not encode a picture", err);
}

static int judge(const struct probe *probe, struct error *err)
{
    const struct encoder_settings *settings = probe->settings;
    const AVFrame *is = probe->decoded;
    if (probe->pictures != 1 || is == NULL)
        return error_set(err, ERROR_INTERNAL, "of one picture it makes %d", probe->pictures);
    if (is->width != settings->width || is->height != settings->height)
        return error_set(err, ERROR_INTERNAL, "a picture of %dx%d comes out as %dx%d",
                         settings->width, settings->height, is->width, is->height);
    return looks_like(probe->shown, is)
               ? 0
               : error_set(err, ERROR_INTERNAL, "what it encodes is another picture");
}

static int run(struct probe *probe, struct error *err)
{
    const struct encoder_settings *settings = probe->settings;
    struct error opening = {0};
    media_log_clear(&probe->log, MEDIA_LOG_OTHER);
    if (encoder_open(settings, &probe->encoder, &opening) < 0) {
        char said[MEDIA_LOG_LINE_BYTES];
        media_log_first(&probe->log, MEDIA_LOG_OTHER, said, sizeof(said));
        return error_set(err, opening.code, "it does not open: %s",
                         said[0] == '\0' ? opening.text : said);
    }
    probe->encoder->opaque = &probe->log;
    if (open_decoder(probe, err) < 0)
        return -1;
    probe->packet = av_packet_alloc();
    probe->shown = gradient(settings->width, settings->height);
    AVFrame *picture = converted(probe->shown, settings->format);
    if (probe->packet == NULL || picture == NULL)
        out_of_memory();
    picture->pts = 0;
    int result = encode(probe, picture, err);
    av_frame_free(&picture);
    return result < 0 || encode(probe, NULL, err) < 0 || decode(probe, NULL, err) < 0
               ? -1
               : judge(probe, err);
}

int encoder_probe(const struct encoder_settings *settings, struct error *err)
{
    CLEANUP(probe_close) struct probe probe = {.settings = settings};
    if (avcodec_find_encoder_by_name(settings->library) == NULL)
        return error_set(err, ERROR_NOT_FOUND, "this FFmpeg has no encoder of that name");
    return run(&probe, err);
}
