/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/packet_sum.h"

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>
#include <libavutil/adler32.h>
#include <libavutil/intreadwrite.h>

static uint32_t add_number(uint32_t sum, int number)
{
    return av_adler32_update(sum, (const uint8_t *)&number, sizeof(number));
}

uint32_t packet_sum_headers(const struct AVCodecParameters *is)
{
    const int size = is->extradata == NULL ? 0 : is->extradata_size;
    uint32_t sum = add_number(1, (int)is->codec_id);
    sum = add_number(sum, is->sample_rate);
    sum = add_number(sum, is->ch_layout.nb_channels);
    sum = add_number(sum, size);
    return size > 0 ? av_adler32_update(sum, is->extradata, (size_t)size) : sum;
}

uint32_t packet_sum(uint32_t sum, const struct AVPacket *packet)
{
    sum = add_number(sum, packet->size);
    sum = add_number(sum, packet->flags & AV_PKT_FLAG_DISCARD);
    return packet->size > 0 ? av_adler32_update(sum, packet->data, (size_t)packet->size) : sum;
}

/* The "pre-skip" of its header, RFC 7845, 5.1: bytes 10 and 11. */
static int64_t opus_lead(const struct AVCodecParameters *is)
{
    return is->codec_id == AV_CODEC_ID_OPUS && is->extradata_size >= 12
               ? AV_RL16(is->extradata + 10)
               : 0;
}

/* AV_PKT_DATA_SKIP_SAMPLES: two numbers of 32 bits, little endian, begin and end. */
int64_t packet_trimmed(const struct AVCodecParameters *is, bool first,
                       const struct AVPacket *packet)
{
    size_t bytes = 0;
    const uint8_t *data = av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, &bytes);
    if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0)
        return 0;
    if (data == NULL || bytes < 8)
        return first ? opus_lead(is) : 0;
    return (int64_t)AV_RL32(data) + AV_RL32(data + 4);
}
