/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/preview_picture.h"

#include "processors/lib/preview.h"
#include "processors/media/still_encoder.h"
#include "processors/media/tone_map.h"

#include <libswscale/swscale.h>

#define QUALITY 6 /* of libavcodec's 2 (best) to 31: some 15 KB */

/* NULL: it cannot be made. */
static AVFrame *scale(const AVFrame *frame, int width, int height, enum AVPixelFormat format)
{
    AVFrame *scaled = av_frame_alloc();
    if (scaled == NULL)
        return NULL;
    scaled->width = width;
    scaled->height = height;
    scaled->format = format;
    struct SwsContext *scaler = sws_getContext(frame->width, frame->height, frame->format, width,
                                               height, format, SWS_AREA, NULL, NULL, NULL);
    if (scaler == NULL || av_frame_get_buffer(scaled, 0) < 0 ||
        sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                  scaled->data, scaled->linesize) < 0)
        av_frame_free(&scaled);
    sws_freeContext(scaler);
    return scaled;
}

/* With the shape that it is shown in. */
static AVFrame *make_small(const AVFrame *frame, enum AVPixelFormat format)
{
    const AVRational pixel = frame->sample_aspect_ratio;
    const int64_t wide = pixel.num > 0 && pixel.den > 0
                             ? av_rescale(frame->width, pixel.num, pixel.den)
                             : frame->width;
    const int64_t longer = FFMAX3(wide, frame->height, 1);
    return scale(frame, (int)FFMAX(av_rescale(wide, FFMIN(longer, PREVIEW_SIDE), longer), 1),
                 (int)FFMAX(av_rescale(frame->height, FFMIN(longer, PREVIEW_SIDE), longer), 1),
                 format);
}

/* With the light of ordinary pictures: HDR's would look pale. */
static AVFrame *make_mapped(const AVFrame *frame, const struct colour *colour)
{
    struct error ignored;
    AVFrame *mapped = NULL;
    AVFrame *made = NULL;
    AVFrame *small = make_small(frame, TONE_MAP_FORMAT);
    if (small != NULL && tone_map_picture(small, colour, &mapped, &ignored) == 0)
        made = scale(mapped, mapped->width, mapped->height, AV_PIX_FMT_YUVJ420P);
    av_frame_free(&small);
    av_frame_free(&mapped);
    return made;
}

void preview_picture(const AVFrame *frame, const struct colour *colour)
{
    if (!preview_due())
        return;
    AVFrame *small = colour != NULL && tone_map_can(colour)
                         ? make_mapped(frame, colour)
                         : make_small(frame, AV_PIX_FMT_YUVJ420P);
    AVPacket *packet = av_packet_alloc();
    if (small != NULL && packet != NULL &&
        still_encode(AV_CODEC_ID_MJPEG, QUALITY, small, packet) >= 0)
        preview_write(packet->data, (size_t)packet->size);
    av_packet_free(&packet);
    av_frame_free(&small);
}
