/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A file that is written: open, add streams, start, packets in any order of streams, finish. */
#ifndef BATCHD_PROCESSORS_MEDIA_OUTPUT_H
#define BATCHD_PROCESSORS_MEDIA_OUTPUT_H

#include "common/error.h"

#include <libavformat/avformat.h>
#include <stdbool.h>

struct output {
    AVFormatContext *format;
    bool started;
};

/* `container` is libavformat's name: mp4, mov, matroska, webm, or nut for what only this program
 * reads again. *ret must be zeroed; output_close in any case. */
int output_open(const char *path, const char *container, struct output *ret, struct error *err);
/* A unit's file; ERROR_IO where it cannot be opened. */
int output_open_unit(const char *path, struct output *ret, struct error *err);
void output_close(struct output *output);

/* A stream whose time stamps can be told exactly in time_base; borrowed. */
AVStream *output_add(struct output *output, AVRational time_base);
/* `clock` is the units in a second in which MP4 says when each stream begins; 0: as it likes. */
int output_start(struct output *output, int clock, struct error *err);
/* Takes the packet's data; its times are in time_base. */
int output_write(struct output *output, const AVStream *stream, AVPacket *packet,
                 AVRational time_base, struct error *err);
/* The index, and everything to the kernel: a full disk may show only now. */
int output_finish(struct output *output, struct error *err);

#endif
