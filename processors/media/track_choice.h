/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which tracks of a kind are wanted: "all", "best" (the one that players take), or a list such as
 * "2,eng" of their numbers, counted from 1 among those of the kind, and languages. */
#ifndef BATCHD_PROCESSORS_MEDIA_TRACK_CHOICE_H
#define BATCHD_PROCESSORS_MEDIA_TRACK_CHOICE_H

#include "common/error.h"

#include <libavutil/avutil.h>
#include <stdbool.h>

struct AVStream;
struct reader;
struct request;

/* Sets chosen[number of the stream] for those that the parameter `name` wants; all without it. 0,
 * or -1 with ERROR_INVALID when one of the list is not there. */
int track_choice_read(const struct request *request, const char *name, const struct reader *reader,
                      enum AVMediaType kind, bool *chosen, struct error *err);
/* As the file says; "und" where it says none, or what can be none. */
const char *track_language(const struct AVStream *stream);

#endif
