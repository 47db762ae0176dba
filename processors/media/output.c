/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/output.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/media_log.h"

#include <libavcodec/avcodec.h>
#include <string.h>

int output_open(const char *path, const char *container, struct output *ret, struct error *err)
{
    CLEANUP_FREE char *url = xasprintf("file:%s", path);
    int rc = avformat_alloc_output_context2(&ret->format, NULL, container, url);
    if (rc < 0)
        return media_error(err, ERROR_INTERNAL, rc, "no writer of %s", container);
    ret->format->flags |= AVFMT_FLAG_BITEXACT;
    ret->format->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL; /* FLAC in MP4, since 2017 */
    ret->format->max_interleave_delta =
        AV_TIME_BASE; /* packets come in order: it waits no longer */
    if (strcmp(container, "nut") == 0)
        ret->format->avoid_negative_ts = 0; /* times stay what they are */
    rc = avio_open(&ret->format->pb, url, AVIO_FLAG_WRITE);
    return rc < 0 ? media_error(err, ERROR_CONFLICT, rc, "output cannot be opened") : 0;
}

int output_open_unit(const char *path, struct output *ret, struct error *err)
{
    int result = output_open(path, "nut", ret, err);
    if (result < 0 && err->code == ERROR_CONFLICT)
        err->code = ERROR_IO; /* of units that word is for a source that cannot be cut */
    return result;
}

void output_close(struct output *output)
{
    if (output->format == NULL)
        return;
    (void)avio_closep(&output->format->pb);
    avformat_free_context(output->format);
    output->format = NULL;
}

AVStream *output_add(struct output *output, AVRational time_base)
{
    AVStream *stream = avformat_new_stream(output->format, NULL);
    if (stream == NULL)
        out_of_memory();
    stream->time_base = time_base;
    return stream;
}

int output_start(struct output *output, int clock, struct error *err)
{
    AVDictionary *options = NULL;
    if (clock > 0) {
        (void)av_dict_set_int(&options, "movie_timescale", clock, 0);
        (void)av_dict_set(&options, "movflags", "+faststart",
                          0); /* it plays before it is all there */
    }
    int rc = avformat_write_header(output->format, &options);
    av_dict_free(&options);
    output->started = rc >= 0;
    return rc < 0 ? media_error(err, ERROR_DAMAGED, rc, "%s does not take these streams",
                                output->format->oformat->name)
                  : 0;
}

int output_write(struct output *output, const AVStream *stream, AVPacket *packet,
                 AVRational time_base, struct error *err)
{
    packet->stream_index = stream->index;
    packet->pos = -1;
    av_packet_rescale_ts(packet, time_base, stream->time_base);
    int rc = av_interleaved_write_frame(output->format, packet);
    /* Not what it takes: a gap between two packets that it has no number for. */
    if (rc == AVERROR(EINVAL))
        return media_error(err, ERROR_DAMAGED, rc, "%s does not take a packet of stream %d",
                           output->format->oformat->name, stream->index);
    return rc < 0 ? media_error(err, ERROR_IO, rc, "output cannot be written") : 0;
}

int output_finish(struct output *output, struct error *err)
{
    int rc = av_write_trailer(output->format);
    output->started = false;
    int closed = avio_closep(&output->format->pb);
    if (rc >= 0)
        rc = closed;
    return rc < 0 ? media_error(err, ERROR_IO, rc, "output cannot be finished") : 0;
}
