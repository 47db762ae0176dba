/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/preview_picture.h"

#include "processors/lib/preview.h"

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
#include <stdbool.h>

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

static bool encode(AVCodecContext *encoder, AVFrame *small, AVPacket *packet)
{
    encoder->width = small->width;
    encoder->height = small->height;
    encoder->pix_fmt = small->format;
    encoder->time_base = (AVRational){1, 1};
    encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    encoder->global_quality = small->quality = QUALITY * FF_QP2LAMBDA;
    encoder->thread_count = 1;
    return avcodec_open2(encoder, NULL, NULL) >= 0 && avcodec_send_frame(encoder, small) >= 0 &&
           avcodec_send_frame(encoder, NULL) >= 0 && avcodec_receive_packet(encoder, packet) >= 0;
}

void preview_picture(const AVFrame *frame)
{
    if (!preview_due())
        return;
    AVFrame *small = make_small(frame);
    AVCodecContext *encoder = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_MJPEG));
    AVPacket *packet = av_packet_alloc();
    if (small != NULL && encoder != NULL && packet != NULL && encode(encoder, small, packet))
        preview_write(packet->data, (size_t)packet->size);
    av_packet_free(&packet);
    avcodec_free_context(&encoder);
    av_frame_free(&small);
}
