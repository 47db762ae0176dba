/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/tags.h"

#include "common/alloc.h"
#include "processors/media/container.h"
#include "processors/media/packet_time.h"

#include <libavutil/mem.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What players take in. Others (a cover, a still) name another kind of stream. */
#define PURPOSES                                                                                \
    (AV_DISPOSITION_DEFAULT | AV_DISPOSITION_DUB | AV_DISPOSITION_ORIGINAL |                    \
     AV_DISPOSITION_COMMENT | AV_DISPOSITION_LYRICS | AV_DISPOSITION_KARAOKE |                  \
     AV_DISPOSITION_FORCED | AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_VISUAL_IMPAIRED | \
     AV_DISPOSITION_CLEAN_EFFECTS | AV_DISPOSITION_CAPTIONS | AV_DISPOSITION_DESCRIPTIONS |     \
     AV_DISPOSITION_METADATA)

static void copy(AVDictionary *from, const char *name, AVDictionary **to, const char *as)
{
    const AVDictionaryEntry *entry = av_dict_get(from, name, NULL, 0);
    if (entry != NULL && entry->value[0] != '\0' && av_dict_set(to, as, entry->value, 0) < 0)
        out_of_memory();
}

/* The names that writers give when nobody gave one say nothing. */
static bool is_own_name(const char *handler)
{
    static const char *const common[] = {
        "VideoHandler", "SoundHandler", "SubtitleHandler", "DataHandler", "GPAC",
        "ISO Media",    "L-SMASH",      "Apple",           "Core Media",  "Handle"};
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (strcasestr(handler, common[i]) != NULL)
            return false;
    }
    return handler[0] != '\0' && handler[0] != '\r' && handler[0] != ' ';
}

void tags_copy_track(const AVStream *from, AVStream *to, const char *container)
{
    const AVDictionaryEntry *handler = av_dict_get(from->metadata, "handler_name", NULL, 0);
    const char *title = container_title_tag(container);
    to->disposition = from->disposition & PURPOSES;
    copy(from->metadata, "language", &to->metadata, "language");
    if (handler != NULL && is_own_name(handler->value))
        copy(from->metadata, "handler_name", &to->metadata, title);
    copy(from->metadata, "title", &to->metadata, title);
}

void tags_copy_attachment(const AVStream *from, AVStream *to)
{
    if ((from->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
        const bool png = from->codecpar->codec_id == AV_CODEC_ID_PNG;
        (void)av_dict_set(&to->metadata, "filename", png ? "cover.png" : "cover.jpg", 0);
        (void)av_dict_set(&to->metadata, "mimetype", png ? "image/png" : "image/jpeg", 0);
    }
    copy(from->metadata, "filename", &to->metadata, "filename");
    copy(from->metadata, "mimetype", &to->metadata, "mimetype");
    copy(from->metadata, "title", &to->metadata, "title");
}

void tags_copy_file(const AVFormatContext *from, AVFormatContext *to)
{
    static const char *const own[] = {"major_brand",  "minor_version", "compatible_brands",
                                      "encoder",      "creation_time", "duration",
                                      "company_name", "product_name",  "product_version"};
    if (av_dict_copy(&to->metadata, from->metadata, 0) < 0)
        out_of_memory();
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        (void)av_dict_set(&to->metadata, own[i], NULL, 0);
}

/* ---- chapters ---- */

static void add_chapter(const AVChapter *from, AVFormatContext *to, int64_t offset)
{
    AVChapter *chapter = av_mallocz(sizeof(*chapter));
    if (chapter == NULL || av_dict_copy(&chapter->metadata, from->metadata, 0) < 0)
        out_of_memory();
    chapter->id = from->id;
    chapter->time_base = from->time_base;
    chapter->start = FFMAX(av_sat_sub64(from->start, offset), 0);
    chapter->end = FFMAX(av_sat_sub64(from->end, offset), chapter->start);
    int count = (int)to->nb_chapters;
    if (av_dynarray_add_nofree(&to->chapters, &count, chapter) < 0)
        out_of_memory();
    to->nb_chapters = (unsigned)count;
}

/* Not where its times are none that can be. */
static bool is_told(const AVChapter *chapter)
{
    return packet_time_is(chapter->start, chapter->time_base) &&
           (chapter->end == AV_NOPTS_VALUE || packet_time_is(chapter->end, chapter->time_base));
}

void tags_copy_chapters(const AVFormatContext *from, AVFormatContext *to, int64_t offset_us)
{
    for (unsigned i = 0; i < from->nb_chapters; i++) {
        const AVChapter *chapter = from->chapters[i];
        const int64_t offset = av_rescale_q(offset_us, AV_TIME_BASE_Q, chapter->time_base);
        if (is_told(chapter) && (chapter->end == AV_NOPTS_VALUE || chapter->end > offset))
            add_chapter(chapter, to, offset);
    }
}
