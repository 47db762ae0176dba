/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/container.h"

#include <assert.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <string.h>
#include <strings.h>

/* Lists end with NULL or AV_CODEC_ID_NONE; without one all is taken that libavformat knows. */
struct container {
    const char *name, *label;
    const char *const *codecs; /* of pictures, two */
    const enum AVCodecID *sounds, *subtitles;
    enum AVCodecID sound;
    bool attachments;
    enum container_cover cover;
    const char *title_tag;
};

static const char *const open_codecs[] = {"vp9", "av1", NULL};
static const char *const mpeg_codecs[] = {"h264", "h265", NULL};
/* libavformat would write more (Vorbis, and reads it back one packet short). Its writer of MOV has
 * no place for the last two. */
static const enum AVCodecID mp4_sounds[] = {AV_CODEC_ID_AAC,  AV_CODEC_ID_MP3,  AV_CODEC_ID_MP2,
                                            AV_CODEC_ID_AC3,  AV_CODEC_ID_EAC3, AV_CODEC_ID_ALAC,
                                            AV_CODEC_ID_OPUS, AV_CODEC_ID_FLAC, AV_CODEC_ID_NONE};
static const enum AVCodecID mov_sounds[] = {AV_CODEC_ID_AAC, AV_CODEC_ID_MP3,  AV_CODEC_ID_MP2,
                                            AV_CODEC_ID_AC3, AV_CODEC_ID_EAC3, AV_CODEC_ID_ALAC,
                                            AV_CODEC_ID_NONE};
/* libavformat would write DVD's, too: few read them. */
static const enum AVCodecID mp4_texts[] = {AV_CODEC_ID_MOV_TEXT, AV_CODEC_ID_NONE};
static const enum AVCodecID webm_texts[] = {AV_CODEC_ID_WEBVTT, AV_CODEC_ID_NONE};

static const struct container containers[] = {{.name = "mp4",
                                               .label = "MP4",
                                               .sounds = mp4_sounds,
                                               .subtitles = mp4_texts,
                                               .sound = AV_CODEC_ID_AAC,
                                               .cover = CONTAINER_COVER_STREAM,
                                               .title_tag = "handler_name"},
                                              {.name = "mov",
                                               .label = "MOV",
                                               .codecs = mpeg_codecs,
                                               .sounds = mov_sounds,
                                               .subtitles = mp4_texts,
                                               .sound = AV_CODEC_ID_AAC,
                                               .title_tag = "handler_name"},
                                              {.name = "matroska",
                                               .label = "Matroska",
                                               .sound = AV_CODEC_ID_AAC,
                                               .attachments = true,
                                               .cover = CONTAINER_COVER_ATTACHMENT,
                                               .title_tag = "title"},
                                              {.name = "webm",
                                               .label = "WebM",
                                               .codecs = open_codecs,
                                               .subtitles = webm_texts,
                                               .sound = AV_CODEC_ID_OPUS,
                                               .title_tag = "title"}};

static const struct container *find(const char *name)
{
    size_t i = 0;
    while (strcmp(containers[i].name, name) != 0) {
        i++;
        assert(i < sizeof(containers) / sizeof(containers[0]));
    }
    return &containers[i];
}

const char *container_of(const char *path, struct error *err)
{
    static const struct {
        const char *ending, *container;
    } endings[] = {
        {".mp4", "mp4"}, {".m4v", "mp4"}, {".mov", "mov"}, {".mkv", "matroska"}, {".webm", "webm"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcasecmp(dot, endings[i].ending) == 0)
            return endings[i].container;
    }
    (void)error_set_field(
        err, "params.output",
        "params.output is \"%.200s\"; it must end in .mp4, .m4v, .mov, .mkv or .webm", path);
    return NULL;
}

int container_takes(const char *container, const char *codec, struct error *err)
{
    const struct container *is = find(container);
    for (const char *const *taken = is->codecs; taken != NULL && *taken != NULL; taken++) {
        if (strcmp(*taken, codec) == 0)
            return 0;
    }
    return is->codecs == NULL
               ? 0
               : error_set_field(err, "params.codec", "params.codec is %s; %s takes %s and %s",
                                 codec, is->label, is->codecs[0], is->codecs[1]);
}

static bool takes(const struct container *is, const enum AVCodecID *list, enum AVCodecID codec)
{
    const AVOutputFormat *format = av_guess_format(is->name, NULL, NULL);
    if (list == NULL)
        return format != NULL && avformat_query_codec(format, codec, FF_COMPLIANCE_NORMAL) == 1;
    while (*list != AV_CODEC_ID_NONE && *list != codec)
        list++;
    return *list != AV_CODEC_ID_NONE;
}

bool container_takes_sound(const char *container, enum AVCodecID codec)
{
    const struct container *is = find(container);
    return takes(is, is->sounds, codec);
}

enum AVCodecID container_sound(const char *container)
{
    return find(container)->sound;
}

bool container_takes_subtitles(const char *container, enum AVCodecID codec)
{
    const struct container *is = find(container);
    return takes(is, is->subtitles, codec);
}

bool container_takes_attachments(const char *container)
{
    return find(container)->attachments;
}

enum container_cover container_cover(const char *container)
{
    return find(container)->cover;
}

const char *container_title_tag(const char *container)
{
    return find(container)->title_tag;
}
