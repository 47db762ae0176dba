/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/join.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/chunk_packets.h"
#include "processors/media/colour.h"
#include "processors/media/join_tracks.h"
#include "processors/media/media_log.h"
#include "processors/media/output.h"
#include "processors/media/reader.h"
#include "processors/media/tags.h"

#include <stdlib.h>
#include <string.h>

struct join {
    const struct join_parts *parts;
    struct chunk_packets *packets;
    struct output output;
    AVStream *video; /* borrowed from output */
    struct join_tracks *tracks;
    struct join_written *written;
};

static void join_close(struct join *join)
{
    join_tracks_close(join->tracks);
    chunk_packets_close(join->packets);
    output_close(&join->output);
}

/* ---- streams ---- */

static int set_video(struct join *join, struct error *err)
{
    const struct reader *source = join->parts->source;
    const AVStream *from = chunk_packets_stream(join->packets);
    AVStream *to = join->video = output_add(&join->output, from->time_base);
    int rc = avcodec_parameters_copy(to->codecpar, from->codecpar);
    if (rc < 0)
        return media_error(err, ERROR_BUSY, rc, "the video");
    to->codecpar->codec_tag = 0; /* it is the other container's word */
    to->avg_frame_rate = join->parts->rate;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    colour_set_stream(join->parts->colour, to); /* VP9's packets tell little of it */
    tags_copy_track(source->video, to, join->parts->container);
    if (!join->parts->keep_matrix)
        return 0;
    uint8_t *copy = av_stream_new_side_data(to, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
    if (copy == NULL)
        out_of_memory();
    memcpy(copy, reader_display_matrix(source), 9 * sizeof(int32_t));
    return 0;
}

static void set_tags(const struct join *join)
{
    const AVFormatContext *from = join->parts->source->format;
    if (!join->parts->keep_tags)
        return;
    tags_copy_file(from, join->output.format);
    tags_copy_chapters(from, join->output.format,
                       av_rescale_q(join->parts->offset, join->parts->source_base, AV_TIME_BASE_Q));
}

/* ---- packets ---- */

static int write_video(struct join *join, struct error *err)
{
    AVPacket *packet;
    if (chunk_packets_next(join->packets, &packet, err) < 0)
        return -1;
    if (packet == NULL)
        return error_set(err, ERROR_INTERNAL, "a chunk is shorter than it was");
    join->written->frames++;
    return output_write(&join->output, join->video, packet,
                        chunk_packets_stream(join->packets)->time_base, err);
}

/* Each behind the pictures that are decoded before it. 1: there is no more. */
static int write_next(struct join *join, struct error *err)
{
    const AVRational base = chunk_packets_stream(join->packets)->time_base;
    const int64_t picture = chunk_packets_peek(join->packets);
    int64_t time = 0;
    AVRational time_base = {1, 1};
    const bool other = join_tracks_peek(join->tracks, &time, &time_base);
    if (picture == INT64_MAX && !other)
        return 1;
    if (picture != INT64_MAX && (!other || av_compare_ts(picture, base, time, time_base) <= 0))
        return write_video(join, err);
    return join_tracks_write(join->tracks, err);
}

static int write_all(struct join *join, struct error *err)
{
    int result = 0;
    while (result == 0)
        result = write_next(join, err);
    if (result < 0 || join_tracks_finish(join->tracks, join->written, err) < 0)
        return -1;
    join->written->time_base = chunk_packets_stream(join->packets)->time_base;
    join->written->times = chunk_packets_take_times(join->packets);
    return output_finish(&join->output, err);
}

/* Matroska has no times below 0: where the sound begins there (an encoder's lead: AAC's 1,024
 * samples are 128 ms at 8 kHz) all its tracks are written that much later. */
static int64_t shift_of(const struct join_written *written, AVRational time_base, int64_t first)
{
    const AVRational fifth = {1, 5};
    const int64_t shift = first - av_rescale_q(written->times[0], written->time_base, time_base);
    return written->sound && shift > 0 && av_compare_ts(shift, time_base, 1, fifth) <= 0 ? shift
                                                                                         : 0;
}

int join_compare(const struct join_written *written, AVRational time_base, const int64_t *times,
                 struct error *err)
{
    const int64_t shift = written->frames > 0 ? shift_of(written, time_base, times[0]) : 0;
    for (int64_t i = 0; i < written->frames; i++) {
        /* Containers of whole milliseconds round. */
        const int64_t wanted =
            shift + av_rescale_q(written->times[i], written->time_base, time_base);
        if (times[i] < wanted - 1 || times[i] > wanted + 1 ||
            (times[i] != wanted && av_cmp_q(time_base, written->time_base) == 0))
            return error_set(err, ERROR_INTERNAL,
                             "frame %lld is at %lld instead of %lld (x %d/%d s)", (long long)i + 1,
                             (long long)times[i], (long long)wanted, time_base.num, time_base.den);
    }
    return 0;
}

int join_write(const struct join_parts *parts, const char *path, struct join_written *ret,
               struct error *err)
{
    CLEANUP(join_close) struct join join = {.parts = parts, .written = ret};
    *ret = (struct join_written){0};
    if (chunk_packets_open(parts->chunks, parts->chunk_count, parts->source_base,
                           parts->one_to_one ? parts->last_duration : 0, &join.packets, err) < 0 ||
        output_open(path, parts->container, &join.output, err) < 0 || set_video(&join, err) < 0 ||
        join_tracks_open(parts, &join.output, &join.tracks, err) < 0)
        return -1;
    set_tags(&join);
    return output_start(&join.output, chunk_packets_stream(join.packets)->time_base.den, err) < 0
               ? -1
               : write_all(&join, err);
}

void join_written_done(struct join_written *written)
{
    free(written->times);
    free(written->packets);
    free(written->losses);
    free(written->sums);
    *written = (struct join_written){0};
}
