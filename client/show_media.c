#include "client/show_media.h"

#include "client/reply.h"
#include "client/show_line.h"
#include "common/alloc.h"
#include "common/cleanup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A film has a few; of a hundred those at the beginning tell enough. */
#define STREAMS_MAX 8

/* The piece that was there goes. */
static void append(char **text, const char *between, char *piece)
{
    char *longer = xasprintf("%s%s%s", *text, (*text)[0] == '\0' ? "" : between, piece);
    free(*text);
    free(piece);
    *text = longer;
}

/* " 854x480"; "": it has no size. */
static char *size_of(const json_t *object, const char *width, const char *height)
{
    const json_t *wide = json_object_get(object, width);
    const json_t *high = json_object_get(object, height);
    return json_is_integer(wide) && json_is_integer(high)
               ? xasprintf(" %lldx%lld", (long long)json_integer_value(wide),
                           (long long)json_integer_value(high))
               : xstrdup("");
}

/* "aac 5.1 ger" */
static char *stream_text(const json_t *stream)
{
    const char *language = reply_text(stream, "language");
    const char *layout = reply_text(stream, "layout");
    const bool named = language[0] != '\0' && strcmp(language, "und") != 0;
    CLEANUP_FREE char *size = size_of(stream, "width", "height");
    return xasprintf("%s%s%s%s%s%s", reply_text(stream, "codec"), size,
                     layout[0] == '\0' ? "" : " ", layout, named ? " " : "", named ? language : "");
}

/* As it is shown, which other than the stream's own size is upright. "24000/1001" as 23.976. */
static char *video_text(const json_t *video, bool moves)
{
    const char *hdr = reply_text(video, "hdr");
    const char *rate = reply_text(video, "rate");
    const bool bright = hdr[0] != '\0' && strcmp(hdr, "none") != 0;
    char *end = NULL;
    const double above = strtod(rate, &end);
    const double below = *end == '/' ? strtod(end + 1, NULL) : 1;
    CLEANUP_FREE char *size = size_of(video, "shown_width", "shown_height");
    CLEANUP_FREE char *text = xasprintf("%s%s%s%s", reply_text(video, "codec"), size,
                                        bright ? " " : "", bright ? hdr : "");
    return moves && above > 0 && below > 0 ? xasprintf("%s, %.5g frames/s", text, above / below)
                                           : TAKE_PTR(text);
}

static bool is_picture(const json_t *stream)
{
    return strcmp(reply_text(stream, "type"), "video") == 0 &&
           !json_is_true(json_object_get(stream, "cover"));
}

/* The first stream of pictures is what `video` tells of. */
static char *clip_text(const json_t *clip)
{
    const json_t *video = json_object_get(clip, "video");
    const json_t *streams = json_object_get(clip, "streams");
    const size_t count = json_array_size(streams);
    const bool moves = json_integer_value(json_object_get(clip, "frames")) != 1;
    char *text = xstrdup("");
    bool seen = false;
    for (size_t i = 0; i < count && i < STREAMS_MAX; i++) {
        const json_t *stream = json_array_get(streams, i);
        const bool main = !seen && json_is_object(video) && is_picture(stream);
        seen |= main;
        append(&text, "; ", main ? video_text(video, moves) : stream_text(stream));
    }
    if (count > STREAMS_MAX)
        append(&text, "; ", xasprintf("and %zu more", count - STREAMS_MAX));
    return text;
}

static void show_as(const char *of, char *text)
{
    CLEANUP_FREE char *label = xasprintf("%s has", of);
    show_line(label, text);
    free(text);
}

static char *picture_text(const json_t *picture)
{
    CLEANUP_FREE char *size = size_of(picture, "width", "height");
    return xasprintf("%s%s", reply_text(picture, "format"), size);
}

void show_media(const json_t *media)
{
    const char *name;
    json_t *one;
    json_object_foreach((json_t *)(uintptr_t)media, name, one) {
        if (json_is_array(json_object_get(one, "streams")))
            show_as(name, clip_text(one));
        else if (json_is_string(json_object_get(one, "format")))
            show_as(strcmp(name, "source") == 0 ? "input" : name, picture_text(one));
    }
    if (json_is_string(json_object_get(media, "format")))
        show_as("output", picture_text(media));
}
