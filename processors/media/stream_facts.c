/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/stream_facts.h"

#include "common/json.h"
#include "processors/media/track_choice.h"

#include <libavutil/channel_layout.h>
#include <stdbool.h>
#include <string.h>

/* Input and output of it, with titles of so many bytes, stay below 40 KiB. */
#define STREAMS_MAX 40U
#define CHAPTERS_MAX 40U
#define TEXT_BYTES_MAX 60

/* Cut between two characters of UTF-8. */
static json_t *short_text(const char *text)
{
    size_t bytes = strnlen(text, TEXT_BYTES_MAX + 1);
    if (bytes > TEXT_BYTES_MAX) {
        bytes = TEXT_BYTES_MAX;
        while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0U) == 0x80U)
            bytes--;
    }
    return json_from_bytes(text, bytes);
}

json_t *stream_facts_text(AVDictionary *tags, const char *name)
{
    const AVDictionaryEntry *entry = av_dict_get(tags, name, NULL, 0);
    return entry == NULL ? json_null() : short_text(entry->value);
}

static void put_sound(json_t *object, const AVCodecParameters *is)
{
    char layout[64] = "";
    (void)av_channel_layout_describe(&is->ch_layout, layout, sizeof(layout));
    json_put_int(object, "sample_rate", is->sample_rate);
    json_put_int(object, "channels", is->ch_layout.nb_channels);
    json_put_text(object, "layout", is->ch_layout.nb_channels > 0 ? layout : NULL);
}

static void put_picture(json_t *object, const AVStream *stream)
{
    json_put_int(object, "width", stream->codecpar->width);
    json_put_int(object, "height", stream->codecpar->height);
    json_put(object, "cover",
             json_boolean((stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0));
}

static json_t *facts_of(const AVStream *stream)
{
    const AVCodecParameters *is = stream->codecpar;
    const char *type = av_get_media_type_string(is->codec_type);
    json_t *object = json_object();
    json_put_int(object, "index", stream->index);
    json_put_text(object, "type", type == NULL ? "unknown" : type);
    json_put_text(object, "codec", avcodec_get_name(is->codec_id));
    json_put_text(object, "language", track_language(stream));
    json_put(object, "title", stream_facts_text(stream->metadata, "title"));
    json_put(object, "default", json_boolean((stream->disposition & AV_DISPOSITION_DEFAULT) != 0));
    json_put(object, "forced", json_boolean((stream->disposition & AV_DISPOSITION_FORCED) != 0));
    if (is->codec_type == AVMEDIA_TYPE_AUDIO)
        put_sound(object, is);
    else if (is->codec_type == AVMEDIA_TYPE_VIDEO)
        put_picture(object, stream);
    else if (is->codec_type == AVMEDIA_TYPE_ATTACHMENT) {
        json_put(object, "filename", stream_facts_text(stream->metadata, "filename"));
        json_put_int(object, "bytes", is->extradata_size);
    }
    return object;
}

static json_t *chapter_facts(const AVChapter *chapter)
{
    json_t *object = json_object();
    json_put_int(object, "start_us",
                 av_rescale_q(chapter->start, chapter->time_base, AV_TIME_BASE_Q));
    json_put(object, "end_us",
             chapter->end == AV_NOPTS_VALUE
                 ? json_null()
                 : json_integer(av_rescale_q(chapter->end, chapter->time_base, AV_TIME_BASE_Q)));
    json_put(object, "title", stream_facts_text(chapter->metadata, "title"));
    return object;
}

void stream_facts_put(json_t *media, const AVFormatContext *format)
{
    json_t *streams = json_array();
    json_t *chapters = json_array();
    for (unsigned i = 0; i < format->nb_streams && i < STREAMS_MAX; i++)
        (void)json_array_append_new(streams, facts_of(format->streams[i]));
    for (unsigned i = 0; i < format->nb_chapters && i < CHAPTERS_MAX; i++)
        (void)json_array_append_new(chapters, chapter_facts(format->chapters[i]));
    json_put(media, "streams", streams);
    json_put(media, "chapters", chapters);
    if (format->nb_streams > STREAMS_MAX)
        json_put_int(media, "streams_left_out", format->nb_streams - STREAMS_MAX);
    if (format->nb_chapters > CHAPTERS_MAX)
        json_put_int(media, "chapters_left_out", format->nb_chapters - CHAPTERS_MAX);
}
