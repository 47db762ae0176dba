/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/chunk_packets.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/media_log.h"

#include <stdlib.h>
#include <string.h>

struct chunk_packets {
    const char *const *paths;
    size_t path_count, path; /* the one that is open */
    AVFormatContext *first;  /* of the first file, for as long as this lives */
    AVFormatContext *format; /* of paths[path]; NULL: none is open */
    AVPacket *packet;
    int64_t *times; /* pts, sorted; owned */
    size_t count, room, next;
    size_t depth; /* of reordering: how many places a packet comes before its time at most */
    int64_t lead; /* between the times of decoding that lie before the first picture's */
    int64_t last_duration;
};

static int open_file(const char *path, AVFormatContext **ret, struct error *err)
{
    CLEANUP_FREE char *url = xasprintf("file:%s", path);
    int rc = avformat_open_input(ret, url, av_find_input_format("nut"), NULL);
    if (rc >= 0)
        rc = avformat_find_stream_info(*ret, NULL);
    if (rc < 0)
        return media_error(err, ERROR_INTERNAL, rc, "\"%.200s\" cannot be read", path);
    return (*ret)->nb_streams == 1 ? 0
                                   : error_set(err, ERROR_INTERNAL, "\"%.200s\" has %u streams",
                                               path, (*ret)->nb_streams);
}

/* Decoders are told once, for all chunks. */
static int check_alike(const AVStream *first, const AVStream *other, struct error *err)
{
    const AVCodecParameters *a = first->codecpar;
    const AVCodecParameters *b = other->codecpar;
    if (a->codec_id == b->codec_id && a->width == b->width && a->height == b->height &&
        a->extradata_size == b->extradata_size &&
        (a->extradata_size == 0 ||
         memcmp(a->extradata, b->extradata, (size_t)a->extradata_size) == 0) &&
        av_cmp_q(first->time_base, other->time_base) == 0)
        return 0;
    return error_set(err, ERROR_INTERNAL, "two chunks were encoded in different ways");
}

static void add_time(struct chunk_packets *packets, int64_t time)
{
    if (packets->count == packets->room) {
        packets->room = packets->room == 0 ? 1024 : 2 * packets->room;
        packets->times = xreallocarray(packets->times, packets->room, sizeof(*packets->times));
    }
    packets->times[packets->count++] = time;
}

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* No frame may be decoded after it is shown: the packet at place i has the time of place i - depth,
 * and so depth is the most that a packet is behind its rank. */
static void sort_chunk(struct chunk_packets *packets, size_t from)
{
    const size_t count = packets->count - from;
    if (count == 0)
        return;
    int64_t *times = packets->times + from;
    int64_t *order = xcalloc(count, sizeof(*order));
    memcpy(order, times, count * sizeof(*order));
    qsort(times, count, sizeof(*times), compare);
    for (size_t i = 0; i < count; i++) {
        const int64_t *rank = bsearch(&order[i], times, count, sizeof(*times), compare);
        const size_t at = (size_t)(rank - times);
        if (i > at && i - at > packets->depth)
            packets->depth = i - at;
    }
    free(order);
}

static int read_times(struct chunk_packets *packets, AVFormatContext *format, struct error *err)
{
    const size_t from = packets->count;
    int rc;
    while ((rc = av_read_frame(format, packets->packet)) >= 0) {
        add_time(packets, packets->packet->pts);
        av_packet_unref(packets->packet);
    }
    if (rc != AVERROR_EOF)
        return media_error(err, ERROR_INTERNAL, rc, "a chunk cannot be read on");
    sort_chunk(packets, from);
    if (from > 0 && packets->count > from && packets->times[from] <= packets->times[from - 1])
        return error_set(err, ERROR_INTERNAL, "two chunks overlap");
    return 0;
}

static int read_all_times(struct chunk_packets *packets, struct error *err)
{
    for (size_t i = 0; i < packets->path_count; i++) {
        AVFormatContext *format = NULL;
        int result = open_file(packets->paths[i], &format, err);
        if (result == 0 && packets->first != NULL)
            result = check_alike(packets->first->streams[0], format->streams[0], err);
        if (result == 0)
            result = read_times(packets, format, err);
        if (result == 0 && packets->first == NULL)
            packets->first = TAKE_PTR(format);
        avformat_close_input(&format);
        if (result < 0)
            return -1;
    }
    return 0;
}

int chunk_packets_open(const char *const *paths, size_t count, AVRational base,
                       int64_t last_duration, struct chunk_packets **ret, struct error *err)
{
    struct chunk_packets *packets = *ret = xcalloc(1, sizeof(*packets));
    packets->paths = paths;
    packets->path_count = count;
    packets->packet = av_packet_alloc();
    if (packets->packet == NULL)
        out_of_memory();
    if (read_all_times(packets, err) < 0)
        return -1;
    if (packets->count == 0)
        return error_set(err, ERROR_INTERNAL, "no frame was encoded");
    const AVRational own = packets->first->streams[0]->time_base;
    packets->lead = packets->count > 1 ? packets->times[1] - packets->times[0] : 1;
    packets->last_duration =
        last_duration > 0 ? av_rescale_q(last_duration, base, own) : packets->lead;
    return 0;
}

void chunk_packets_close(struct chunk_packets *packets)
{
    if (packets == NULL)
        return;
    avformat_close_input(&packets->format);
    avformat_close_input(&packets->first);
    av_packet_free(&packets->packet);
    free(packets->times);
    free(packets);
}

const AVStream *chunk_packets_stream(const struct chunk_packets *packets)
{
    return packets->first->streams[0];
}

size_t chunk_packets_count(const struct chunk_packets *packets)
{
    return packets->count;
}

int64_t *chunk_packets_take_times(struct chunk_packets *packets)
{
    return TAKE_PTR(packets->times);
}

int64_t chunk_packets_peek(const struct chunk_packets *packets)
{
    const size_t at = packets->next;
    if (at >= packets->count)
        return INT64_MAX;
    return at >= packets->depth
               ? packets->times[at - packets->depth]
               : packets->times[0] - (int64_t)(packets->depth - at) * packets->lead;
}

static int64_t duration_of(const struct chunk_packets *packets, int64_t time)
{
    const int64_t *found =
        bsearch(&time, packets->times, packets->count, sizeof(*packets->times), compare);
    const size_t at = found == NULL ? packets->count : (size_t)(found - packets->times);
    return at + 1 < packets->count ? packets->times[at + 1] - time : packets->last_duration;
}

/* 1: the file that is open has no more. */
static int read_next(struct chunk_packets *packets, struct error *err)
{
    if (packets->format == NULL &&
        open_file(packets->paths[packets->path], &packets->format, err) < 0)
        return -1;
    int rc = av_read_frame(packets->format, packets->packet);
    if (rc >= 0)
        return 0;
    if (rc != AVERROR_EOF)
        return media_error(err, ERROR_INTERNAL, rc, "a chunk cannot be read on");
    avformat_close_input(&packets->format);
    packets->path++;
    return 1;
}

int chunk_packets_next(struct chunk_packets *packets, AVPacket **ret, struct error *err)
{
    int result = 1;
    *ret = NULL;
    av_packet_unref(packets->packet);
    while (result == 1 && packets->path < packets->path_count)
        result = read_next(packets, err);
    if (result < 0 || packets->path >= packets->path_count)
        return result < 0 ? -1 : 0;
    packets->packet->dts = chunk_packets_peek(packets);
    packets->packet->duration = duration_of(packets, packets->packet->pts);
    packets->next++;
    *ret = packets->packet;
    return 0;
}
