/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/facts.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/media/reader.h"
#include "processors/media/rotation.h"
#include "processors/media/stream_facts.h"

#include <libavutil/pixdesc.h>

/* ---- streams ---- */

static void put_rate(json_t *object, const char *key, AVRational rate)
{
    CLEANUP_FREE char *text = xasprintf("%d/%d", rate.num, rate.den);
    json_put_text(object, key, rate.num > 0 && rate.den > 0 ? text : NULL);
}

/* Matroska counts in milliseconds, which is too coarse for most rates: there, and in what is made
 * from it, the steps of a constant rate differ by one. */
static bool is_variable(const struct reader *reader)
{
    const AVRational millisecond = {1, 1000};
    return av_compare_ts(reader->step_max - reader->step_min, reader->video->time_base, 1,
                         millisecond) > 0;
}

static json_t *video_facts(const struct reader *reader)
{
    const AVCodecParameters *is = reader->video->codecpar;
    bool mirrored = false;
    const int rotation = rotation_of(reader_display_matrix(reader), &mirrored);
    const bool sideways = rotation_is_sideways(reader_display_matrix(reader));
    json_t *video = json_object();
    json_put_text(video, "codec", avcodec_get_name(is->codec_id));
    json_put_text(video, "profile", avcodec_profile_name(is->codec_id, is->profile));
    json_put_int(video, "width", is->width);
    json_put_int(video, "height", is->height);
    json_put_int(video, "shown_width", sideways ? is->height : is->width);
    json_put_int(video, "shown_height", sideways ? is->width : is->height);
    json_put_text(video, "pixel_format", av_get_pix_fmt_name(reader->video_decoder->pix_fmt));
    colour_put_facts(video, &reader->colour);
    json_put_int(video, "rotation", rotation);
    json_put(video, "mirrored", json_boolean(mirrored));
    put_rate(video, "rate", av_guess_frame_rate(reader->format, reader->video, NULL));
    json_put(video, "variable_rate", json_boolean(is_variable(reader)));
    json_put_int(video, "times_repaired", reader->times_repaired);
    return video;
}

static json_t *audio_facts(const struct reader *reader)
{
    if (reader->audio == NULL)
        return json_null();
    const AVCodecParameters *is = reader->audio->codecpar;
    json_t *audio = json_object();
    json_put_text(audio, "codec", avcodec_get_name(is->codec_id));
    json_put_int(audio, "sample_rate", is->sample_rate);
    json_put_int(audio, "channels", is->ch_layout.nb_channels);
    json_put_int(audio, "packets", reader->audio_packets);
    json_put(audio, "samples",
             reader->audio_samples == 0 ? json_null() : json_integer(reader->audio_samples));
    return audio;
}

json_t *facts_media(const struct reader *reader)
{
    json_t *media = json_object();
    json_put_text(media, "container", reader->format->iformat->name);
    json_put_int(media, "duration_us", reader_duration_us(reader));
    json_put_int(media, "frames", reader->frames);
    json_put(media, "video", video_facts(reader));
    json_put(media, "audio", audio_facts(reader));
    json_put(media, "title", stream_facts_text(reader->format->metadata, "title"));
    stream_facts_put(media, reader->format);
    return media;
}
