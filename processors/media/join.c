/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/join.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/audio_track.h"
#include "processors/media/chunk_packets.h"
#include "processors/media/media_log.h"
#include "processors/media/output.h"
#include "processors/media/reader.h"

#include <string.h>

struct join {
    const struct join_parts *parts;
    struct chunk_packets *packets;
    struct output output;
    AVStream *video; /* borrowed from output */
    struct reader sound_file;
    struct audio_track sound;
    struct join_written *written;
};

static void join_close(struct join *join)
{
    audio_track_close(&join->sound);
    reader_close(&join->sound_file);
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
    (void)av_dict_copy(&to->metadata, source->video->metadata, 0);
    (void)av_dict_set(&to->metadata, "encoder", NULL, 0);
    if (!join->parts->keep_matrix)
        return 0;
    uint8_t *copy = av_stream_new_side_data(to, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
    if (copy == NULL)
        out_of_memory();
    memcpy(copy, reader_display_matrix(source), 9 * sizeof(int32_t));
    return 0;
}

static int set_sound(struct join *join, struct error *err)
{
    if (join->parts->sound == NULL)
        return 0;
    if (reader_open_sound(join->parts->sound, "the sound", &join->sound_file, err) < 0 ||
        audio_track_copy(&join->sound_file, &join->output, &join->sound, err) < 0)
        return -1;
    join->sound.offset = av_rescale_q(join->parts->sound_offset, join->parts->sound_offset_base,
                                      join->sound_file.audio->time_base);
    return 0;
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

/* Each packet of sound behind the pictures that are decoded before it. */
static int on_sound(void *arg, AVPacket *packet, struct error *err)
{
    struct join *join = arg;
    if (packet->stream_index != join->sound_file.audio->index)
        return 0; /* what was read for its headers comes whatever was asked for */
    const AVRational base = chunk_packets_stream(join->packets)->time_base;
    const AVRational sound_base = join->sound_file.audio->time_base;
    const int64_t time = packet->dts == AV_NOPTS_VALUE ? packet->pts : packet->dts;
    while (time != AV_NOPTS_VALUE && chunk_packets_peek(join->packets) != INT64_MAX &&
           av_compare_ts(chunk_packets_peek(join->packets), base, time - join->sound.offset,
                         sound_base) <= 0) {
        if (write_video(join, err) < 0)
            return -1;
    }
    return audio_track_packet(&join->sound, packet, err);
}

static int write_all(struct join *join, struct error *err)
{
    const struct reader_calls calls = {.packet = on_sound, .arg = join};
    join->sound_file.progress_to = join->sound_file.progress_from = 0;
    if (join->parts->sound != NULL && reader_run(&join->sound_file, &calls, err) < 0)
        return -1;
    while (chunk_packets_peek(join->packets) != INT64_MAX) {
        if (write_video(join, err) < 0)
            return -1;
    }
    join->written->sound_packets = join->sound.packets;
    join->written->time_base = chunk_packets_stream(join->packets)->time_base;
    join->written->times = chunk_packets_take_times(join->packets);
    return output_finish(&join->output, err);
}

/* Matroska has no times below 0: where the sound begins there (an encoder's lead, at most some 80
 * ms) all its tracks are written that much later. */
static int64_t shift_of(const struct join_written *written, AVRational time_base, int64_t first)
{
    const AVRational tenth = {1, 10};
    const int64_t shift = first - av_rescale_q(written->times[0], written->time_base, time_base);
    return written->sound_packets > 0 && shift > 0 && av_compare_ts(shift, time_base, 1, tenth) <= 0
               ? shift
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
        set_sound(&join, err) < 0 ||
        output_start(&join.output, chunk_packets_stream(join.packets)->time_base.den, err) < 0)
        return -1;
    return write_all(&join, err);
}
