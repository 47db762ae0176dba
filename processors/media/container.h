/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The container of an output, by the ending of its name, and what it can hold: what players expect
 * in it, which is less than libavformat would write. A container is named as by libavformat: mp4,
 * mov, matroska or webm. */
#ifndef BATCHD_PROCESSORS_MEDIA_CONTAINER_H
#define BATCHD_PROCESSORS_MEDIA_CONTAINER_H

#include "common/error.h"

#include <libavcodec/codec_id.h>
#include <stdbool.h>

enum container_cover {
    CONTAINER_NO_COVER,
    CONTAINER_COVER_STREAM,    /* a still beside the film */
    CONTAINER_COVER_ATTACHMENT /* a file within the file */
};

/* By .mp4, .m4v, .mov, .mkv or .webm; NULL with ERROR_INVALID. */
const char *container_of(const char *path, struct error *err);

/* Whether it is to have pictures of this codec (h264, h265, av1, vp9). 0, or -1 with ERROR_INVALID.
 */
int container_takes(const char *container, const char *codec, struct error *err);

bool container_takes_sound(const char *container, enum AVCodecID codec);
/* What sound becomes that it does not take. */
enum AVCodecID container_sound(const char *container);
bool container_takes_subtitles(const char *container, enum AVCodecID codec);
bool container_takes_attachments(const char *container);
/* How it has a JPEG or PNG that stands for the film. */
enum container_cover container_cover(const char *container);
/* The name of the tag that has a track's title. */
const char *container_title_tag(const char *container);

#endif
