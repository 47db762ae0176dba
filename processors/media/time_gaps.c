/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/time_gaps.h"

#include "processors/media/packet_index.h"

#include <libavutil/mathematics.h>
#include <string.h>

/* The clock of a track: the source's, which libavformat's writer of NUT (chunks, nutenc.c) doubles
 * until it is at least so fast; that of MP4 keeps it. */
#define CLOCK_LEAST 48000

static int64_t longest(const struct packet_index *index)
{
    int64_t most = 0;
    for (size_t i = 1; i < index->count; i++)
        most = index->times[i] - index->times[i - 1] > most ? index->times[i] - index->times[i - 1]
                                                            : most;
    return most;
}

/* Of durations, which have 31 bits. */
static int64_t longest_in_mp4(AVRational base)
{
    int64_t clock = base.den;
    while (clock < CLOCK_LEAST)
        clock *= 2;
    return INT32_MAX / clock;
}

int time_gaps_check(const struct packet_index *index, AVRational base, bool filled,
                    const char *container, struct error *err)
{
    const AVRational second = {1, 1};
    const bool mp4 = strcmp(container, "mp4") == 0 || strcmp(container, "mov") == 0;
    const int64_t most = filled ? TIME_GAPS_FILLED_SECONDS : longest_in_mp4(base);
    const int64_t gap = longest(index);
    if ((!filled && !mp4) || av_compare_ts(gap, base, most, second) <= 0)
        return 0;
    const long long seconds = (long long)av_rescale_q(gap, base, second);
    if (filled)
        return error_set(err, ERROR_DAMAGED,
                         "input has no picture for %lld s; at most %lld s are filled with copies",
                         seconds, (long long)most);
    return error_set_field(err, "params.output",
                           "params.output is %s, which shows no picture for longer than %lld s; "
                           "input has one of %lld s; Matroska takes it",
                           container, (long long)most, seconds);
}
