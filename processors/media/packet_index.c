/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/packet_index.h"

#include "common/alloc.h"
#include "processors/media/packet_sum.h"
#include "processors/media/reader.h"
#include "processors/media/subtitle_track.h"

#include <stdlib.h>

struct growing {
    struct packet_index *index;
    const struct reader *reader;
    size_t time_room, key_room, seek_room, bytes_room;
    int64_t last_dts, last_pts;
};

static void add(int64_t **list, size_t *count, size_t *room, int64_t value)
{
    if (*count == *room) {
        *room = *room == 0 ? 1024 : 2 * *room;
        *list = xreallocarray(*list, *room, sizeof(**list));
    }
    (*list)[(*count)++] = value;
}

/* In the file's order, which is that of their times, too. */
static void add_key(struct growing *growing, const AVPacket *packet)
{
    struct packet_index *index = growing->index;
    size_t count = index->key_count;
    if (count > 0 && packet->pts <= index->keys[count - 1])
        index->timed = false;
    add(&index->seeks, &count, &growing->seek_room,
        packet->dts == AV_NOPTS_VALUE ? packet->pts : FFMIN(packet->dts, packet->pts));
    add(&index->keys, &index->key_count, &growing->key_room, packet->pts);
}

/* Cues without text are not what was written: MP4 fills the time in between with them. */
static void add_other(struct growing *growing, const AVPacket *packet)
{
    struct packet_index *index = growing->index;
    const unsigned stream = (unsigned)packet->stream_index;
    const AVStream *from = growing->reader->format->streams[stream];
    if (stream >= index->stream_count || from->discard >= AVDISCARD_ALL ||
        subtitle_track_is_blank(from->codecpar->codec_id, packet))
        return;
    index->stream_trimmed[stream] +=
        packet_trimmed(from->codecpar, index->stream_packets[stream] == 0, packet);
    index->stream_packets[stream]++;
    index->stream_sums[stream] = packet_sum(index->stream_sums[stream], packet);
}

static int on_packet(void *arg, AVPacket *packet, struct error *err)
{
    struct growing *growing = arg;
    struct packet_index *index = growing->index;
    (void)err;
    if (packet->stream_index != growing->reader->video->index) {
        add_other(growing, packet);
        return 0;
    }
    index->packets++;
    const int64_t before = index->bytes_count == 0 ? 0 : index->bytes[index->bytes_count - 1];
    add(&index->bytes, &index->bytes_count, &growing->bytes_room, before + packet->size);
    /* Times that jump back (a broadcast that was cut together) name two places at once. */
    if (packet->pts == AV_NOPTS_VALUE ||
        (packet->dts != AV_NOPTS_VALUE && growing->last_dts != AV_NOPTS_VALUE &&
         packet->dts < growing->last_dts))
        index->timed = false;
    growing->last_dts = packet->dts;
    if (packet->pts == AV_NOPTS_VALUE)
        return 0;
    if ((packet->flags & AV_PKT_FLAG_KEY) != 0)
        add_key(growing, packet);
    if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0) { /* before an edit list's begin: never shown */
        index->packets--;
        return 0;
    }
    if (index->count == 0 || packet->pts >= growing->last_pts) {
        growing->last_pts = packet->pts;
        index->last_duration = packet->duration;
    }
    add(&index->times, &index->count, &growing->time_room, packet->pts);
    return 0;
}

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static size_t sort_unique(int64_t *list, size_t count)
{
    size_t kept = 0;
    if (count > 0)
        qsort(list, count, sizeof(*list), compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || list[kept - 1] != list[i])
            list[kept++] = list[i];
    }
    return kept;
}

int packet_index_read(struct reader *reader, struct packet_index *ret, struct error *err)
{
    struct growing growing = {.index = ret, .reader = reader, .last_dts = AV_NOPTS_VALUE};
    const struct reader_calls calls = {.packet = on_packet, .arg = &growing};
    const enum AVCodecID codec = reader->video->codecpar->codec_id;
    ret->stream_count = reader->format->nb_streams; /* MPEG-TS may come to have more */
    ret->stream_packets = xcalloc(ret->stream_count, sizeof(*ret->stream_packets));
    ret->stream_sums = xcalloc(ret->stream_count, sizeof(*ret->stream_sums));
    ret->stream_trimmed = xcalloc(ret->stream_count, sizeof(*ret->stream_trimmed));
    for (unsigned i = 0; i < ret->stream_count; i++)
        ret->stream_sums[i] = packet_sum_headers(reader->format->streams[i]->codecpar);
    ret->timed = true;
    ret->each_shows = codec != AV_CODEC_ID_VP8 && codec != AV_CODEC_ID_VP9;
    if (reader_run(reader, &calls, err) < 0)
        return -1;
    ret->count = sort_unique(ret->times, ret->count);
    if (ret->count == 0)
        ret->timed = false;
    return 0;
}

void packet_index_done(struct packet_index *index)
{
    free(index->times);
    free(index->keys);
    free(index->bytes);
    free(index->seeks);
    free(index->stream_packets);
    free(index->stream_sums);
    free(index->stream_trimmed);
    *index = (struct packet_index){0};
}

int64_t packet_index_packets(const struct packet_index *index, const AVStream *stream)
{
    return stream == NULL || (unsigned)stream->index >= index->stream_count
               ? 0
               : index->stream_packets[stream->index];
}

static size_t count_below(const int64_t *list, size_t count, int64_t limit)
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (list[low + half] < limit) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

size_t packet_index_before(const struct packet_index *index, int64_t time)
{
    return count_below(index->times, index->count, time);
}

double packet_index_bytes_before(const struct packet_index *index, size_t frame)
{
    const int64_t all = index->bytes_count == 0 ? 0 : index->bytes[index->bytes_count - 1];
    const size_t at = index->bytes_count * frame / FFMAX(index->count, 1);
    return at == 0 || all == 0 ? 0 : (double)index->bytes[at - 1] / (double)all;
}

int64_t packet_index_key(const struct packet_index *index, int64_t time, size_t back)
{
    size_t upto =
        time == INT64_MAX ? index->key_count : count_below(index->keys, index->key_count, time + 1);
    return upto <= back + 1 ? AV_NOPTS_VALUE : index->keys[upto - 1 - back];
}

int64_t packet_index_seek(const struct packet_index *index, int64_t key)
{
    if (key == AV_NOPTS_VALUE)
        return key;
    const size_t at = count_below(index->keys, index->key_count, key);
    return at < index->key_count ? index->seeks[at] : key;
}

int64_t packet_index_duration(const struct packet_index *index, int64_t time)
{
    size_t next = count_below(index->times, index->count, time + 1);
    return next < index->count ? index->times[next] - time : index->last_duration;
}
