/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/warm.h"

#include <libavcodec/avcodec.h>
#include <libavutil/cpu.h>
#include <stddef.h>

/* Decoders fill their tables when the first of them is opened. On one thread: a process that is
 * forked has none of the others. */
static void warm_decoder(enum AVCodecID id)
{
    const AVCodec *codec = avcodec_find_decoder(id);
    AVCodecContext *context = codec == NULL ? NULL : avcodec_alloc_context3(codec);
    if (context == NULL)
        return;
    context->thread_count = 1;
    context->sample_rate = 48000; /* those of sound refuse none */
    context->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    (void)avcodec_open2(context, codec, NULL);
    avcodec_free_context(&context);
}

void media_warm(void)
{
    static const enum AVCodecID common[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP9,
                                            AV_CODEC_ID_AAC};
    (void)av_get_cpu_flags();
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        warm_decoder(common[i]);
}
