/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What becomes of the streams of an input beside its picture: which are carried over, how, and
 * which are not and why. Nothing is left out silently. */
#ifndef BATCHD_PROCESSORS_MEDIA_TRACKS_H
#define BATCHD_PROCESSORS_MEDIA_TRACKS_H

#include "common/error.h"

#include <jansson.h>
#include <libavcodec/codec_id.h>
#include <stdbool.h>
#include <stddef.h>

struct packet_index;
struct reader;
struct request;

enum track_way {
    TRACK_COPY,    /* its packets as they are: sound, subtitles */
    TRACK_ENCODE,  /* sound, as a whole */
    TRACK_CONVERT, /* subtitles of text to another form of it */
    TRACK_ATTACH,  /* a file within the file, such as a font, or in Matroska a cover */
    TRACK_COVER    /* a still beside the film, as MP4 has it */
};

struct track {
    int source; /* number of the input's stream */
    enum track_way way;
    enum AVCodecID codec; /* that it has in the output */
};

struct tracks {
    struct track *list; /* sound, subtitles, attachments, each as in the input; owned */
    size_t count;
    json_t *left_out; /* [{index, type, codec, language, reason}], owned; what was not asked for is
                       * not among them */
};

/* By the parameters audio (copy, encode, none), audio_tracks, subtitles (copy, none) and
 * subtitle_tracks, as far as the processor has them, for this container. *ret must be zeroed;
 * tracks_done in any case. 0, or -1 with ERROR_INVALID; ERROR_DAMAGED when the main track of sound
 * can neither be copied nor decoded. */
int tracks_plan(const struct request *request, const struct reader *reader, const char *container,
                struct tracks *ret, struct error *err);
void tracks_done(struct tracks *tracks);
/* Sound that has no packets at all is left out. */
void tracks_drop_silent(struct tracks *tracks, const struct reader *reader,
                        const struct packet_index *index);

/* "copy" (a cover, too), "encode", "convert" or "attach" */
const char *track_way_name(enum track_way way);
/* Whether it has packets along the film; else it is a file beside it. */
bool tracks_has_packets(const struct track *track);
/* Of those that are encoded, by their place among them; NULL behind the last. */
const struct track *tracks_encoded(const struct tracks *tracks, size_t at);
unsigned tracks_encoded_count(const struct tracks *tracks);

#endif
