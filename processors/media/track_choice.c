/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/track_choice.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "processors/lib/request.h"
#include "processors/media/reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LANGUAGE_BYTES_MAX 35

struct choice {
    const char *name; /* of the parameter */
    const struct reader *reader;
    enum AVMediaType kind;
    bool *chosen;
};

/* Letters, digits and hyphens, as BCP 47 has them. */
static bool is_language(const char *text)
{
    const size_t bytes =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return bytes > 0 && bytes <= LANGUAGE_BYTES_MAX && text[bytes] == '\0';
}

const char *track_language(const AVStream *stream)
{
    const AVDictionaryEntry *entry = av_dict_get(stream->metadata, "language", NULL, 0);
    return entry == NULL || !is_language(entry->value) ? "und" : entry->value;
}

/* "2 tracks: eng, ger"; the caller frees. */
static char *describe(const struct choice *choice)
{
    const AVFormatContext *format = choice->reader->format;
    char *list = xstrdup("");
    unsigned count = 0;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type != choice->kind)
            continue;
        char *longer = xasprintf("%s%s %.20s", list, count == 0 ? ":" : ",",
                                 track_language(format->streams[i]));
        free(list);
        list = longer;
        count++;
    }
    char *text = xasprintf("%u track%s%s", count, count == 1 ? "" : "s", list);
    free(list);
    return text;
}

static int refuse(const struct choice *choice, const char *word, struct error *err)
{
    CLEANUP_FREE char *there = describe(choice);
    char field[ERROR_FIELD_BYTES];
    (void)snprintf(field, sizeof(field), "params.%s", choice->name);
    return error_set_field(err, field,
                           "%s has \"%.40s\"; it must be all, best, or numbers and languages of "
                           "tracks that the input has, separated by commas: it has %s",
                           field, word, there);
}

static bool is_meant(const AVStream *stream, uint64_t number, uint64_t wanted, const char *word)
{
    return wanted > 0 ? number == wanted : strcasecmp(track_language(stream), word) == 0;
}

/* A number or a language; how many tracks it names. */
static unsigned choose(const struct choice *choice, const char *word)
{
    const AVFormatContext *format = choice->reader->format;
    uint64_t wanted = 0;
    uint64_t number = 0;
    unsigned found = 0;
    if (parse_u64(word, 1, 1000, &wanted, NULL) < 0)
        wanted = 0;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type != choice->kind ||
            !is_meant(format->streams[i], ++number, wanted, word))
            continue;
        choice->chosen[i] = true;
        found++;
    }
    return found;
}

static void choose_all(const struct choice *choice)
{
    const AVFormatContext *format = choice->reader->format;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type == choice->kind)
            choice->chosen[i] = true;
    }
}

static void choose_best(const struct choice *choice)
{
    const AVStream *video = choice->reader->video;
    const int best = av_find_best_stream(choice->reader->format, choice->kind, -1,
                                         video == NULL ? -1 : video->index, NULL, 0);
    if (best >= 0)
        choice->chosen[best] = true;
}

int track_choice_read(const struct request *request, const char *name, const struct reader *reader,
                      enum AVMediaType kind, bool *chosen, struct error *err)
{
    struct choice choice = {.name = name, .reader = reader, .kind = kind};
    CLEANUP_FREE char *list = xstrdup(request_string(request, name, "all"));
    char *rest = list;
    choice.chosen = chosen;
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        word += strspn(word, " ");
        if (strcmp(word, "all") == 0)
            choose_all(&choice);
        else if (strcmp(word, "best") == 0)
            choose_best(&choice);
        else if (choose(&choice, word) == 0)
            return refuse(&choice, word, err);
    }
    return 0;
}
