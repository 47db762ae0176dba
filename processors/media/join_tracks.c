/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/join_tracks.h"

#include "common/alloc.h"
#include "processors/media/copied_track.h"
#include "processors/media/media_log.h"
#include "processors/media/output.h"
#include "processors/media/reader.h"
#include "processors/media/sound.h"
#include "processors/media/subtitle_track.h"
#include "processors/media/tags.h"
#include "processors/media/tracks.h"

#include <libavutil/mem.h>
#include <stdlib.h>
#include <string.h>

/* A file that is read, with its next packet. */
struct feed {
    struct reader reader;
    bool opened;
    AVPacket *next; /* borrowed from reader; NULL behind the last */
    int64_t time;   /* of it, as in the output, in base */
    AVRational base;
};

struct member {
    const struct track *track;
    struct feed *feed; /* NULL: an attachment, a cover */
    int stream;        /* number there */
    AVStream *cover;   /* borrowed from output */
    struct copied_track sound;
    struct subtitle_track subtitles;
};

struct join_tracks {
    const struct join_parts *parts;
    struct output *output;
    struct feed *feeds; /* the source, then what was encoded; owned */
    size_t feed_count;
    struct member *members; /* owned */
    size_t count;
};

/* ---- opening ---- */

static AVStream *source_stream(const struct join_tracks *tracks, const struct track *track)
{
    return tracks->parts->source->format->streams[track->source];
}

/* What a stream of an attachment has as its headers is the file. */
static void set_file(AVCodecParameters *ret, const AVPacket *picture)
{
    av_freep(&ret->extradata);
    ret->codec_type = AVMEDIA_TYPE_ATTACHMENT;
    ret->extradata = av_mallocz((size_t)picture->size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (ret->extradata == NULL)
        out_of_memory();
    memcpy(ret->extradata, picture->data, (size_t)picture->size);
    ret->extradata_size = picture->size;
}

static int attach(struct join_tracks *tracks, const struct track *track, struct error *err)
{
    const AVStream *from = source_stream(tracks, track);
    AVStream *to = output_add(tracks->output, from->time_base);
    tags_copy_attachment(from, to);
    int rc = avcodec_parameters_copy(to->codecpar, from->codecpar);
    if (rc < 0)
        return media_error(err, ERROR_BUSY, rc, "an attachment");
    if ((from->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
        set_file(to->codecpar, &from->attached_pic);
    return 0;
}

/* Its packet is written at the end: there is one. */
static int add_cover(struct join_tracks *tracks, struct member *member, struct error *err)
{
    const AVStream *from = source_stream(tracks, member->track);
    AVStream *to = member->cover = output_add(tracks->output, from->time_base);
    int rc = avcodec_parameters_copy(to->codecpar, from->codecpar);
    to->codecpar->codec_tag = 0; /* it is the other container's word */
    to->disposition = AV_DISPOSITION_ATTACHED_PIC;
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "a cover") : 0;
}

static int write_cover(struct join_tracks *tracks, const struct member *member, struct error *err)
{
    const AVStream *from = source_stream(tracks, member->track);
    AVPacket *packet = av_packet_clone(&from->attached_pic);
    if (packet == NULL)
        out_of_memory();
    packet->pts = packet->dts = 0;
    int result = output_write(tracks->output, member->cover, packet, from->time_base, err);
    av_packet_free(&packet);
    return result;
}

static int add_sound(struct join_tracks *tracks, struct member *member, struct error *err)
{
    const AVRational second = {1, 1};
    const struct join_parts *parts = tracks->parts;
    const AVStream *from = member->feed->reader.format->streams[member->stream];
    if (copied_track_open(from, tracks->output, &member->sound, err) < 0)
        return -1;
    member->sound.offset = member->track->way == TRACK_ENCODE
                               ? av_rescale_q(SOUND_LEAD_SECONDS, second, from->time_base)
                               : av_rescale_q(parts->offset, parts->source_base, from->time_base);
    tags_copy_track(source_stream(tracks, member->track), member->sound.to, parts->container);
    return 0;
}

static int add_subtitles(struct join_tracks *tracks, struct member *member, struct error *err)
{
    const struct join_parts *parts = tracks->parts;
    const AVStream *from = member->feed->reader.format->streams[member->stream];
    if (subtitle_track_open(from, member->track->codec, tracks->output, &member->subtitles, err) <
        0)
        return -1;
    member->subtitles.offset = av_rescale_q(parts->offset, parts->source_base, from->time_base);
    tags_copy_track(source_stream(tracks, member->track), member->subtitles.to, parts->container);
    return 0;
}

/* The source's is opened once, for all of its tracks. */
static int open_feed(struct join_tracks *tracks, struct member *member, const char *encoded,
                     struct error *err)
{
    struct feed *feed = encoded == NULL ? &tracks->feeds[0] : &tracks->feeds[tracks->feed_count++];
    member->feed = feed;
    member->stream = encoded == NULL ? member->track->source : 0;
    if (!feed->opened &&
        reader_open_bare(encoded == NULL ? tracks->parts->source_path : encoded,
                         encoded == NULL ? "input" : "the encoded sound", &feed->reader, err) < 0)
        return -1;
    feed->opened = true;
    return reader_add(&feed->reader, member->stream, err);
}

static int add(struct join_tracks *tracks, const struct track *track, const char *encoded,
               struct error *err)
{
    struct member *member = &tracks->members[tracks->count++];
    member->track = track;
    if (track->way == TRACK_ATTACH)
        return attach(tracks, track, err);
    if (track->way == TRACK_COVER)
        return add_cover(tracks, member, err);
    if (open_feed(tracks, member, encoded, err) < 0)
        return -1;
    const AVStream *from = source_stream(tracks, track);
    return from->codecpar->codec_type == AVMEDIA_TYPE_AUDIO ? add_sound(tracks, member, err)
                                                            : add_subtitles(tracks, member, err);
}

/* ---- reading ---- */

static struct member *member_of(const struct join_tracks *tracks, const struct feed *feed)
{
    for (size_t i = 0; feed->next != NULL && i < tracks->count; i++) {
        struct member *member = &tracks->members[i];
        if (member->feed == feed && member->stream == feed->next->stream_index)
            return member;
    }
    return NULL;
}

static bool is_sound(const struct member *member)
{
    return member->sound.to != NULL;
}

/* A packet without a time comes with the one before it. */
static int read_next(struct join_tracks *tracks, struct feed *feed, struct error *err)
{
    if (reader_next(&feed->reader, &feed->next, err) < 0)
        return -1;
    const struct member *member = member_of(tracks, feed);
    if (member == NULL || (feed->next->dts == AV_NOPTS_VALUE && feed->next->pts == AV_NOPTS_VALUE))
        return 0;
    feed->base = feed->reader.format->streams[member->stream]->time_base;
    feed->time = av_sat_sub64(feed->next->dts == AV_NOPTS_VALUE ? feed->next->pts : feed->next->dts,
                              is_sound(member) ? member->sound.offset : member->subtitles.offset);
    return 0;
}

int join_tracks_open(const struct join_parts *parts, struct output *output,
                     struct join_tracks **ret, struct error *err)
{
    const size_t count = parts->tracks->count;
    struct join_tracks *tracks = *ret = xcalloc(1, sizeof(*tracks));
    const char *const *encoded = parts->encoded;
    tracks->parts = parts;
    tracks->output = output;
    tracks->members = xcalloc(count + 1, sizeof(*tracks->members));
    tracks->feeds = xcalloc(count + 1, sizeof(*tracks->feeds));
    tracks->feed_count = 1;
    for (size_t i = 0; i < count; i++) {
        const struct track *track = &parts->tracks->list[i];
        if (add(tracks, track, track->way == TRACK_ENCODE ? *encoded++ : NULL, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < tracks->feed_count; i++) {
        tracks->feeds[i].base = (AVRational){1, 1};
        if (tracks->feeds[i].opened && read_next(tracks, &tracks->feeds[i], err) < 0)
            return -1;
    }
    return 0;
}

void join_tracks_close(struct join_tracks *tracks)
{
    if (tracks == NULL)
        return;
    for (size_t i = 0; i < tracks->count; i++)
        subtitle_track_close(&tracks->members[i].subtitles);
    for (size_t i = 0; i < tracks->feed_count; i++)
        reader_close(&tracks->feeds[i].reader);
    free(tracks->members);
    free(tracks->feeds);
    free(tracks);
}

/* ---- writing ---- */

static struct feed *first_of(const struct join_tracks *tracks)
{
    struct feed *first = NULL;
    for (size_t i = 0; i < tracks->feed_count; i++) {
        struct feed *feed = &tracks->feeds[i];
        if (feed->next != NULL &&
            (first == NULL || av_compare_ts(feed->time, feed->base, first->time, first->base) < 0))
            first = feed;
    }
    return first;
}

bool join_tracks_peek(const struct join_tracks *tracks, int64_t *ret_time, AVRational *ret_base)
{
    const struct feed *feed = first_of(tracks);
    if (feed == NULL)
        return false;
    *ret_time = feed->time;
    *ret_base = feed->base;
    return true;
}

int join_tracks_write(struct join_tracks *tracks, struct error *err)
{
    struct feed *feed = first_of(tracks);
    struct member *member = member_of(tracks, feed);
    int result = 0;
    if (member != NULL)
        result = is_sound(member) ? copied_track_packet(&member->sound, feed->next, err)
                                  : subtitle_track_packet(&member->subtitles, feed->next, err);
    return result < 0 ? -1 : read_next(tracks, feed, err);
}

int join_tracks_finish(struct join_tracks *tracks, struct join_written *written, struct error *err)
{
    written->packets = xcalloc(tracks->count + 1, sizeof(*written->packets));
    written->losses = xcalloc(tracks->count + 1, sizeof(*written->losses));
    written->sums = xcalloc(tracks->count + 1, sizeof(*written->sums));
    for (size_t i = 0; i < tracks->count; i++) {
        struct member *member = &tracks->members[i];
        if (subtitle_track_finish(&member->subtitles, err) < 0 ||
            (member->cover != NULL && write_cover(tracks, member, err) < 0))
            return -1;
        written->packets[i] = is_sound(member) ? member->sound.packets : member->subtitles.cues;
        written->losses[i] = member->subtitles.losses;
        written->sums[i] = member->sound.sum;
        written->sound |= member->sound.packets > 0;
    }
    return 0;
}
