/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/still_encoder.h"

int still_encode(enum AVCodecID codec, int quality, AVFrame *picture, AVPacket *ret)
{
    AVCodecContext *encoder = avcodec_alloc_context3(avcodec_find_encoder(codec));
    if (encoder == NULL)
        return AVERROR(ENOMEM);
    encoder->width = picture->width;
    encoder->height = picture->height;
    encoder->pix_fmt = picture->format;
    encoder->sample_aspect_ratio = picture->sample_aspect_ratio;
    encoder->time_base = (AVRational){1, 1};
    encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    encoder->global_quality = picture->quality = quality * FF_QP2LAMBDA;
    encoder->thread_count = 1;
    int rc = avcodec_open2(encoder, NULL, NULL);
    if (rc >= 0)
        rc = avcodec_send_frame(encoder, picture);
    if (rc >= 0)
        rc = avcodec_send_frame(encoder, NULL);
    if (rc >= 0)
        rc = avcodec_receive_packet(encoder, ret);
    avcodec_free_context(&encoder);
    return rc;
}
