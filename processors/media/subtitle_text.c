/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/subtitle_text.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/media/media_log.h"

#include <libavutil/mem.h>
#include <stdlib.h>
#include <string.h>

/* Of a cue, read or written. A line of ASS may be a drawing of many strokes. */
#define CUE_BYTES_MAX (1 << 20)
/* MP4 has two bytes for the length of a cue's text, and they are written in front of it. */
#define MOV_TEXT_BYTES_MAX (UINT16_MAX + 2)
/* Fields before the text of libavcodec's form of a cue: ReadOrder, Layer, Style, Name, three
 * margins, Effect. */
#define FIELDS_BEFORE_TEXT 8

struct cue {
    int64_t end;
    char *line; /* owned */
};

struct subtitle_text {
    struct subtitle_sink sink;
    AVCodecContext *decoder, *encoder;
    struct media_account log; /* of these two: what is wrong with a cue is no fault of the file */
    AVPacket *packet;
    uint8_t *room; /* for one cue as it is encoded; owned */
    int room_bytes;
    bool one_at_a_time;
    struct cue shown[SUBTITLE_TEXT_SHOWN_MAX]; /* since `since`, and not handed on yet */
    size_t count;
    int64_t since;
};

/* ---- opening ---- */

static bool is_text(enum AVCodecID codec)
{
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(codec);
    return descriptor != NULL && (descriptor->props & AV_CODEC_PROP_TEXT_SUB) != 0;
}

bool subtitle_text_converts(enum AVCodecID from, enum AVCodecID to)
{
    return is_text(from) && is_text(to) && avcodec_find_decoder(from) != NULL &&
           avcodec_find_encoder(to) != NULL;
}

static int open_decoder(struct subtitle_text *text, const AVStream *from, struct error *err)
{
    const AVCodec *codec = avcodec_find_decoder(from->codecpar->codec_id);
    AVCodecContext *decoder = text->decoder = avcodec_alloc_context3(codec);
    if (decoder == NULL)
        out_of_memory();
    int rc = avcodec_parameters_to_context(decoder, from->codecpar);
    decoder->opaque = &text->log;
    decoder->pkt_timebase = from->time_base;
    decoder->flags |= AV_CODEC_FLAG_BITEXACT;
    if (rc >= 0)
        rc = avcodec_open2(decoder, codec, NULL);
    return rc < 0 ? media_error(err, ERROR_DAMAGED, rc, "the subtitles of stream %d", from->index)
                  : 0;
}

static int open_encoder(struct subtitle_text *text, enum AVCodecID to, struct error *err)
{
    const AVCodec *codec = avcodec_find_encoder(to);
    const AVCodecContext *decoder = text->decoder;
    AVCodecContext *encoder = text->encoder = avcodec_alloc_context3(codec);
    const size_t bytes = (size_t)decoder->subtitle_header_size;
    if (encoder == NULL)
        out_of_memory();
    encoder->opaque = &text->log;
    encoder->time_base = (AVRational){1, 1000};
    encoder->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    encoder->subtitle_header = av_mallocz(bytes + 1); /* styles: the context's from here on */
    if (encoder->subtitle_header == NULL)
        out_of_memory();
    if (bytes > 0)
        memcpy(encoder->subtitle_header, decoder->subtitle_header, bytes);
    encoder->subtitle_header_size = (int)bytes;
    int rc = avcodec_open2(encoder, codec, NULL);
    return rc < 0 ? media_error(err, ERROR_DAMAGED, rc, "subtitles do not become %s", codec->name)
                  : 0;
}

int subtitle_text_open(const AVStream *from, enum AVCodecID to, const struct subtitle_sink *sink,
                       struct subtitle_text **ret, struct error *err)
{
    struct subtitle_text *text = *ret = xcalloc(1, sizeof(*text));
    text->sink = *sink;
    text->one_at_a_time = to == AV_CODEC_ID_MOV_TEXT;
    text->room_bytes = text->one_at_a_time ? MOV_TEXT_BYTES_MAX : CUE_BYTES_MAX;
    text->room = xmalloc((size_t)text->room_bytes);
    text->packet = av_packet_alloc();
    if (text->packet == NULL)
        out_of_memory();
    return open_decoder(text, from, err) < 0 ? -1 : open_encoder(text, to, err);
}

static void drop(struct subtitle_text *text, size_t at)
{
    free(text->shown[at].line);
    text->count--;
    memmove(&text->shown[at], &text->shown[at + 1], (text->count - at) * sizeof(text->shown[0]));
}

void subtitle_text_close(struct subtitle_text *text)
{
    if (text == NULL)
        return;
    while (text->count > 0)
        drop(text, text->count - 1);
    avcodec_free_context(&text->decoder);
    avcodec_free_context(&text->encoder);
    av_packet_free(&text->packet);
    free(text->room);
    free(text);
}

int subtitle_text_parameters(const struct subtitle_text *text, AVCodecParameters *ret,
                             struct error *err)
{
    int rc = avcodec_parameters_from_context(ret, text->encoder);
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "the subtitles") : 0;
}

/* ---- encoding ---- */

/* Into the room: how many bytes; 0: nothing is left of it, it was drawn, not written; below 0: the
 * form does not take it. */
static int encode(struct subtitle_text *text, int64_t start, int64_t end, char *line)
{
    const AVRational millisecond = {1, 1000};
    AVSubtitleRect rect = {.type = SUBTITLE_ASS};
    AVSubtitleRect *rects[] = {&rect};
    AVSubtitle cue = {.num_rects = 1,
                      .rects = rects,
                      .end_display_time = (uint32_t)av_rescale_q(
                          end - start, text->decoder->pkt_timebase, millisecond)};
    rect.ass = line;
    int rc = avcodec_encode_subtitle(text->encoder, text->room, text->room_bytes, &cue);
    if (rc == AVERROR(ENOMEM))
        out_of_memory();
    return rc;
}

/* What is in the room. A packet lives until it is written, and is as large as what it holds. */
static int hand_on(struct subtitle_text *text, int64_t start, int64_t end, int bytes,
                   struct error *err)
{
    if (av_new_packet(text->packet, bytes) < 0)
        out_of_memory();
    memcpy(text->packet->data, text->room, (size_t)bytes);
    int result = text->sink.take(text->sink.arg, start, end, text->packet, err);
    av_packet_unref(text->packet);
    return result;
}

/* ---- cues that are shown together ---- */

static const char *words_of(const char *line)
{
    for (int i = 0; i < FIELDS_BEFORE_TEXT; i++) {
        const char *comma = strchr(line, ',');
        if (comma == NULL)
            return line;
        line = comma + 1;
    }
    return line;
}

/* The caller frees. */
static char *add_line(char *lines, const char *line)
{
    if (lines == NULL)
        return xstrdup(line);
    char *both = xasprintf("%s\\N%s", lines, words_of(line));
    free(lines);
    return both;
}

static int encode_shown(struct subtitle_text *text, int64_t until)
{
    CLEANUP_FREE char *lines = NULL;
    for (size_t i = 0; i < text->count; i++)
        lines = add_line(lines, text->shown[i].line);
    return encode(text, text->since, until, lines);
}

static size_t longest(const struct subtitle_text *text)
{
    size_t at = 0;
    for (size_t i = 1; i < text->count; i++) {
        if (strlen(text->shown[i].line) > strlen(text->shown[at].line))
            at = i;
    }
    return at;
}

/* One that the form does not take costs none of those that are shown with it. */
static int hand_on_shown(struct subtitle_text *text, int64_t until, struct subtitle_losses *losses,
                         struct error *err)
{
    int bytes = 0;
    while (text->count > 0 && (bytes = encode_shown(text, until)) < 0) {
        drop(text, longest(text));
        losses->unwritable++;
    }
    return bytes > 0 ? hand_on(text, text->since, until, bytes, err) : 0;
}

/* What is shown until then is known now. */
static int advance(struct subtitle_text *text, int64_t until, struct subtitle_losses *losses,
                   struct error *err)
{
    while (text->count > 0 && text->since < until) {
        int64_t change = until;
        for (size_t i = 0; i < text->count; i++)
            change = FFMIN(change, text->shown[i].end);
        if (change > text->since && hand_on_shown(text, change, losses, err) < 0)
            return -1;
        text->since = change;
        for (size_t i = text->count; i > 0; i--) {
            if (text->shown[i - 1].end <= change)
                drop(text, i - 1);
        }
    }
    return 0;
}

/* *line goes, or is taken. */
static int show(struct subtitle_text *text, int64_t start, int64_t end, char **line,
                struct subtitle_losses *losses, struct error *err)
{
    if (!text->one_at_a_time) {
        const int bytes = encode(text, start, end, *line);
        losses->unwritable += bytes < 0;
        return bytes > 0 ? hand_on(text, start, end, bytes, err) : 0;
    }
    if (advance(text, start, losses, err) < 0)
        return -1;
    if (text->count == SUBTITLE_TEXT_SHOWN_MAX) {
        drop(text, 0);
        losses->crowded++;
    }
    text->since = start;
    text->shown[text->count++] = (struct cue){end, TAKE_PTR(*line)};
    return 0;
}

int subtitle_text_finish(struct subtitle_text *text, struct subtitle_losses *losses,
                         struct error *err)
{
    return advance(text, INT64_MAX, losses, err);
}

/* ---- decoding ---- */

/* NULL: without a word. The caller frees. */
static char *line_of(const AVSubtitle *cue)
{
    char *line = NULL;
    for (unsigned i = 0; i < cue->num_rects; i++) {
        if (cue->rects[i]->ass != NULL)
            line = add_line(line, cue->rects[i]->ass);
    }
    return line;
}

int subtitle_text_put(struct subtitle_text *text, int64_t start, int64_t end,
                      const AVPacket *packet, struct subtitle_losses *losses, struct error *err)
{
    AVSubtitle cue = {0};
    int got = 0;
    if (packet->size > CUE_BYTES_MAX) {
        losses->unwritable++;
        return 0;
    }
    if (av_packet_ref(text->packet, packet) < 0)
        out_of_memory();
    int rc = avcodec_decode_subtitle2(text->decoder, &cue, &got, text->packet);
    av_packet_unref(text->packet);
    if (rc == AVERROR(ENOMEM))
        out_of_memory();
    losses->unreadable += rc < 0;
    if (rc < 0 || !got)
        return 0;
    CLEANUP_FREE char *line = line_of(&cue);
    avsubtitle_free(&cue);
    return line == NULL ? 0 : show(text, start, end, &line, losses, err);
}
