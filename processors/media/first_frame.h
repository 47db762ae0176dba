/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The colours of a file that is not decoded otherwise: raw streams and many MP4 tell of HDR's light
 * in their frames alone. */
#ifndef BATCHD_PROCESSORS_MEDIA_FIRST_FRAME_H
#define BATCHD_PROCESSORS_MEDIA_FIRST_FRAME_H

struct reader;

/* Where the headers of `path`, which `reader` has open, tell of HDR, one frame of it is decoded:
 * reader->colour has the rest then. One that does not decode adds nothing. */
void first_frame_read(const char *path, struct reader *reader);

#endif
