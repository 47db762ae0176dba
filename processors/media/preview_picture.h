/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A frame as a small picture for people (processors/lib/preview.h), when it is time for one. */
#ifndef BATCHD_PROCESSORS_MEDIA_PREVIEW_PICTURE_H
#define BATCHD_PROCESSORS_MEDIA_PREVIEW_PICTURE_H

#include <libavutil/frame.h>

struct colour;

/* Its longer side, in pixels. */
#define PREVIEW_SIDE 320

/* Borrows the frame and changes nothing of it; any thread, for each frame. What does not work is
 * left out. `colour`: of the film, borrowed; of HDR it is shown in the light of ordinary pictures.
 * NULL: it is none. */
void preview_picture(const AVFrame *frame, const struct colour *colour);

#endif
