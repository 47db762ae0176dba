/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/tracks.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/request.h"
#include "processors/media/container.h"
#include "processors/media/packet_index.h"
#include "processors/media/reader.h"
#include "processors/media/reader_proof.h"
#include "processors/media/subtitle_track.h"
#include "processors/media/track_choice.h"

#include <stdlib.h>
#include <string.h>

struct plan {
    const struct request *request;
    const struct reader *reader;
    const char *container;
    bool *chosen; /* by the number of the stream */
    struct tracks *tracks;
};

static AVStream *stream_at(const struct plan *plan, unsigned number)
{
    return plan->reader->format->streams[number];
}

static void carry(const struct plan *plan, unsigned number, enum track_way way,
                  enum AVCodecID codec)
{
    struct tracks *tracks = plan->tracks;
    tracks->list[tracks->count++] = (struct track){(int)number, way, codec};
}

static void leave_out(const struct plan *plan, unsigned number, const char *reason)
{
    const AVStream *stream = stream_at(plan, number);
    const char *type = av_get_media_type_string(stream->codecpar->codec_type);
    json_t *one = json_object();
    json_put_int(one, "index", (int)number);
    json_put_text(one, "type", type == NULL ? "unknown" : type);
    json_put_text(one, "codec", avcodec_get_name(stream->codecpar->codec_id));
    json_put_text(one, "language", track_language(stream));
    json_put_text(one, "reason", reason);
    (void)json_array_append_new(plan->tracks->left_out, one);
}

/* ---- sound ---- */

static bool is_known(const AVCodecParameters *is)
{
    return is->codec_id != AV_CODEC_ID_NONE && is->sample_rate > 0 && is->ch_layout.nb_channels > 0;
}

static void plan_sound(const struct plan *plan, unsigned number, bool encode)
{
    const AVStream *stream = stream_at(plan, number);
    const enum AVCodecID codec = stream->codecpar->codec_id;
    const bool is_main = stream == plan->reader->audio; /* where it fails, the job is to fail */
    if (!is_main && !is_known(stream->codecpar))
        leave_out(plan, number, "its form is unknown");
    else if (!is_main && avcodec_find_decoder(codec) == NULL)
        leave_out(plan, number, "no decoder");
    else if (!encode && container_takes_sound(plan->container, codec))
        carry(plan, number, TRACK_COPY, codec);
    else
        carry(plan, number, TRACK_ENCODE, container_sound(plan->container));
}

/* ---- subtitles ---- */

static void plan_subtitles(const struct plan *plan, unsigned number)
{
    const enum AVCodecID codec = stream_at(plan, number)->codecpar->codec_id;
    const enum AVCodecID becomes = subtitle_track_codec(codec, plan->container);
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(codec);
    const bool pictures = descriptor != NULL && (descriptor->props & AV_CODEC_PROP_BITMAP_SUB) != 0;
    CLEANUP_FREE char *reason = xasprintf("%s takes no subtitles of this form%s", plan->container,
                                          pictures ? ", which are pictures and no text" : "");
    if (becomes == AV_CODEC_ID_NONE)
        leave_out(plan, number, reason);
    else
        carry(plan, number, becomes == codec ? TRACK_COPY : TRACK_CONVERT, becomes);
}

/* ---- all others ---- */

/* The titles of MP4's chapters are a track of text: they go with the chapters. */
static bool is_chapters(const struct plan *plan, const AVStream *stream)
{
    return plan->reader->format->nb_chapters > 0 &&
           stream->codecpar->codec_type == AVMEDIA_TYPE_DATA &&
           stream->codecpar->codec_tag == MKTAG('t', 'e', 'x', 't');
}

static void plan_attachment(const struct plan *plan, unsigned number)
{
    const AVStream *stream = stream_at(plan, number);
    CLEANUP_FREE char *reason = xasprintf("%s takes no attachments", plan->container);
    if (!container_takes_attachments(plan->container))
        leave_out(plan, number, reason);
    else if (av_dict_get(stream->metadata, "filename", NULL, 0) == NULL ||
             av_dict_get(stream->metadata, "mimetype", NULL, 0) == NULL)
        leave_out(plan, number, "it has no file name and media type");
    else
        carry(plan, number, TRACK_ATTACH, stream->codecpar->codec_id);
}

/* A still is a stream of video to libavformat; thumbnails of chapters are such a stream, too. */
static bool is_cover(const AVStream *stream)
{
    return (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0 &&
           (stream->disposition & AV_DISPOSITION_TIMED_THUMBNAILS) == 0 &&
           stream->attached_pic.size > 0;
}

static void plan_picture(const struct plan *plan, unsigned number)
{
    const AVStream *stream = stream_at(plan, number);
    const enum AVCodecID codec = stream->codecpar->codec_id;
    const enum container_cover cover = container_cover(plan->container);
    const bool known = codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_PNG;
    if (stream == plan->reader->video)
        return;
    if (!is_cover(stream))
        leave_out(plan, number, "one picture is carried over, that which players take");
    else if (!known || cover == CONTAINER_NO_COVER)
        leave_out(plan, number, "the container takes no such cover");
    else
        carry(plan, number, cover == CONTAINER_COVER_STREAM ? TRACK_COVER : TRACK_ATTACH, codec);
}

static void plan_other(const struct plan *plan, unsigned number)
{
    const AVStream *stream = stream_at(plan, number);
    switch (stream->codecpar->codec_type) {
    case AVMEDIA_TYPE_ATTACHMENT:
        plan_attachment(plan, number);
        return;
    case AVMEDIA_TYPE_VIDEO:
        plan_picture(plan, number);
        return;
    case AVMEDIA_TYPE_AUDIO:
    case AVMEDIA_TYPE_SUBTITLE:
        return;
    case AVMEDIA_TYPE_UNKNOWN:
    case AVMEDIA_TYPE_DATA:
    case AVMEDIA_TYPE_NB:
    default:
        if (!is_chapters(plan, stream))
            leave_out(plan, number, "data is not carried over");
    }
}

static int plan_kind(const struct plan *plan, enum AVMediaType kind, const char *names, bool encode,
                     struct error *err)
{
    const unsigned count = plan->reader->format->nb_streams;
    memset(plan->chosen, 0, count * sizeof(*plan->chosen));
    if (track_choice_read(plan->request, names, plan->reader, kind, plan->chosen, err) < 0)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        if (!plan->chosen[i])
            continue;
        if (!reader_is_of_programme(plan->reader, i))
            leave_out(plan, i, "it is of another programme than the picture");
        else if (kind == AVMEDIA_TYPE_AUDIO)
            plan_sound(plan, i, encode);
        else
            plan_subtitles(plan, i);
    }
    return 0;
}

static int plan_all(const struct plan *plan, struct error *err)
{
    const char *audio = request_string(plan->request, "audio", "copy");
    const char *subtitles = request_string(plan->request, "subtitles", "copy");
    if (strcmp(audio, "none") != 0 &&
        plan_kind(plan, AVMEDIA_TYPE_AUDIO, "audio_tracks", strcmp(audio, "encode") == 0, err) < 0)
        return -1;
    if (strcmp(subtitles, "none") != 0 &&
        plan_kind(plan, AVMEDIA_TYPE_SUBTITLE, "subtitle_tracks", false, err) < 0)
        return -1;
    for (unsigned i = 0; i < plan->reader->format->nb_streams; i++)
        plan_other(plan, i);
    return 0;
}

int tracks_plan(const struct request *request, const struct reader *reader, const char *container,
                struct tracks *ret, struct error *err)
{
    const unsigned count = reader->format->nb_streams;
    CLEANUP_FREE bool *chosen = xcalloc(count, sizeof(*chosen));
    ret->list = xcalloc(count, sizeof(*ret->list));
    ret->left_out = json_array();
    const struct plan plan = {request, reader, container, chosen, ret};
    return plan_all(&plan, err);
}

void tracks_drop_silent(struct tracks *tracks, const struct reader *reader,
                        const struct packet_index *index)
{
    const struct plan plan = {.reader = reader, .tracks = tracks};
    size_t kept = 0;
    for (size_t i = 0; i < tracks->count; i++) {
        const AVStream *stream = reader->format->streams[tracks->list[i].source];
        if (stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
            packet_index_packets(index, stream) == 0)
            leave_out(&plan, (unsigned)stream->index, "it holds nothing");
        else
            tracks->list[kept++] = tracks->list[i];
    }
    tracks->count = kept;
}

void tracks_done(struct tracks *tracks)
{
    free(tracks->list);
    json_decref(tracks->left_out);
    *tracks = (struct tracks){0};
}

const char *track_way_name(enum track_way way)
{
    static const char *const names[] = {"copy", "encode", "convert", "attach", "copy"};
    return names[way];
}

bool tracks_has_packets(const struct track *track)
{
    return track->way != TRACK_ATTACH && track->way != TRACK_COVER;
}

const struct track *tracks_encoded(const struct tracks *tracks, size_t at)
{
    for (size_t i = 0; i < tracks->count; i++) {
        if (tracks->list[i].way == TRACK_ENCODE && at-- == 0)
            return &tracks->list[i];
    }
    return NULL;
}

unsigned tracks_encoded_count(const struct tracks *tracks)
{
    unsigned count = 0;
    while (tracks_encoded(tracks, count) != NULL)
        count++;
    return count;
}
