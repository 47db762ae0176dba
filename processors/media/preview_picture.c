/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/preview_picture.h"

#include "processors/lib/preview.h"
#include "processors/media/still_encoder.h"

#include <libswscale/swscale.h>

#define QUALITY 6 /* of libavcodec's 2 (best) to 31: some 15 KB */

/* With the shape that it is shown in; NULL: it cannot be made. */
static AVFrame *make_small(const AVFrame *frame)
{
    const AVRational pixel = frame->sample_aspect_ratio;
    const int64_t wide = pixel.num > 0 && pixel.den > 0
                             ? av_rescale(frame->width, pixel.num, pixel.den)
                             : frame->width;
    const int64_t longer = FFMAX3(wide, frame->height, 1);
    AVFrame *small = av_frame_alloc();
    if (small == NULL)
        return NULL;
    small->width = (int)FFMAX(av_rescale(wide, FFMIN(longer, PREVIEW_SIDE), longer), 1);
    small->height = (int)FFMAX(av_rescale(frame->height, FFMIN(longer, PREVIEW_SIDE), longer), 1);
    small->format = AV_PIX_FMT_YUVJ420P;
    struct SwsContext *scaler =
        sws_getContext(frame->width, frame->height, frame->format, small->width, small->height,
                       small->format, SWS_AREA, NULL, NULL, NULL);
    if (scaler == NULL || av_frame_get_buffer(small, 0) < 0 ||
        sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                  small->data, small->linesize) < 0)
        av_frame_free(&small);
    sws_freeContext(scaler);
    return small;
}

void preview_picture(const AVFrame *frame)
{
    if (!preview_due())
        return;
    AVFrame *small = make_small(frame);
    AVPacket *packet = av_packet_alloc();
    if (small != NULL && packet != NULL &&
        still_encode(AV_CODEC_ID_MJPEG, QUALITY, small, packet) >= 0)
        preview_write(packet->data, (size_t)packet->size);
    av_packet_free(&packet);
    av_frame_free(&small);
}
