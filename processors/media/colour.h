/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the numbers of a picture mean: primaries, transfer, matrix, range, depth, and of HDR the
 * display that it was made on and the light that it has. */
#ifndef BATCHD_PROCESSORS_MEDIA_COLOUR_H
#define BATCHD_PROCESSORS_MEDIA_COLOUR_H

#include <jansson.h>
#include <libavformat/avformat.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/mastering_display_metadata.h>
#include <stdbool.h>

struct colour {
    enum AVPixelFormat format;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace space;
    enum AVColorRange range;
    bool has_mastering, has_light, has_dolby, dynamic; /* dynamic: HDR10+ */
    AVMasteringDisplayMetadata mastering;
    AVContentLightMetadata light;
    AVDOVIDecoderConfigurationRecord dolby;
};

/* What a frame tells beside its numbers. */
void colour_add_frame(struct colour *colour, const AVFrame *frame);
void colour_of_stream(const AVStream *stream, struct colour *ret);

/* By the transfer: PQ or HLG. */
bool colour_is_hdr(const struct colour *colour);
/* "none", "hdr10" (PQ), "hlg" or "dolby-vision" */
const char *colour_hdr(const struct colour *colour);
bool colour_is_rgb(enum AVPixelFormat format);
/* Of one sample; 0: unknown. */
int colour_bits(enum AVPixelFormat format);
/* Adds bits, colour, hdr, mastering_display, content_light and dolby_vision. */
void colour_put_facts(json_t *video, const struct colour *colour);

/* For a container: all of it but Dolby Vision, whose part in each frame is not carried over. */
void colour_set_stream(const struct colour *colour, AVStream *stream);
/* As x265 takes it in its parameters, each with a colon in front; "": there is none. */
void colour_x265(const struct colour *colour, char *ret, size_t bytes);
/* ... and SVT-AV1. */
void colour_svtav1(const struct colour *colour, char *ret, size_t bytes);

#endif
