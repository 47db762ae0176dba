/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/copied_track.h"

#include "processors/media/media_log.h"
#include "processors/media/output.h"
#include "processors/media/packet_sum.h"

int copied_track_open(const AVStream *from, struct output *output, struct copied_track *ret,
                      struct error *err)
{
    ret->output = output;
    ret->from = from;
    ret->to = output_add(output, from->time_base);
    ret->sum = packet_sum_headers(from->codecpar);
    int rc = avcodec_parameters_copy(ret->to->codecpar, from->codecpar);
    ret->to->codecpar->codec_tag = 0; /* it is the other container's word */
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "stream %d", from->index) : 0;
}

/* Where the file does not tell: MP4 ends the track with the last one's, and players leave out what
 * lies behind that. */
static int64_t duration_of(const struct copied_track *track, const AVPacket *packet)
{
    AVCodecParameters *is = track->from->codecpar;
    const int samples = av_get_audio_frame_duration2(is, packet->size);
    if (packet->duration > 0)
        return packet->duration;
    if (samples > 0 && is->sample_rate > 0)
        return av_rescale_q(samples, (AVRational){1, is->sample_rate}, track->from->time_base);
    return track->last_duration;
}

/* An edit list cut it off. Of such packets some are kept, by which decoders find in: Matroska,
 * which cuts nothing off, has all else later by them. */
static bool is_cut_off(const struct copied_track *track, const AVPacket *packet)
{
    const AVRational fifth = {1, 5};
    return (packet->flags & AV_PKT_FLAG_DISCARD) != 0 && packet->pts != AV_NOPTS_VALUE &&
           av_compare_ts(av_sat_sub64(packet->pts, track->offset), track->from->time_base, -1,
                         fifth) < 0;
}

int copied_track_packet(struct copied_track *track, AVPacket *packet, struct error *err)
{
    if (is_cut_off(track, packet))
        return 0;
    if (packet->dts == AV_NOPTS_VALUE)
        packet->dts = packet->pts;
    /* MPEG program streams and others leave times out or repeat them; MP4 wants them to rise. */
    if (packet->dts == AV_NOPTS_VALUE || (track->packets > 0 && packet->dts < track->next_dts_min))
        packet->dts = packet->pts = track->next_dts;
    if (packet->pts == AV_NOPTS_VALUE)
        packet->pts = packet->dts;
    if (track->packets > 0)
        track->last_duration = av_sat_sub64(packet->dts, track->next_dts_min - 1);
    packet->duration = duration_of(track, packet);
    track->next_dts_min = av_sat_add64(packet->dts, 1);
    track->next_dts = av_sat_add64(packet->dts, FFMAX(packet->duration, 1));
    packet->pts = av_sat_sub64(packet->pts, track->offset);
    packet->dts = av_sat_sub64(packet->dts, track->offset);
    track->packets++;
    track->sum = packet_sum(track->sum, packet);
    return output_write(track->output, track->to, packet, track->from->time_base, err);
}
