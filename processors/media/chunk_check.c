/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/chunk_check.h"

#include "common/cleanup.h"
#include "processors/lib/lanes.h"
#include "processors/media/packet_index.h"
#include "processors/media/reader.h"

#include <string.h>

struct check {
    const struct chunk_written *written;
    struct reader reader;
    struct lane *lane;
};

static void check_close(struct check *check)
{
    reader_close(&check->reader);
}

/* The frame, or the packet, of that number comes at `time`. */
static int compare(const struct check *check, size_t number, int64_t time, struct error *err)
{
    const struct chunk_written *written = check->written;
    if (number < written->count &&
        av_compare_ts(time, check->reader.video->time_base, written->times[number],
                      written->settings->time_base) == 0)
        return 0;
    return error_set(err, ERROR_INTERNAL, "frame %zu of %zu of a chunk is not the one written",
                     number + 1, written->count);
}

static int compare_count(const struct check *check, size_t count, struct error *err)
{
    return count == check->written->count
               ? 0
               : error_set(err, ERROR_INTERNAL, "a chunk has %zu frames instead of %zu", count,
                           check->written->count);
}

static int on_frame(void *arg, AVFrame *frame, struct error *err)
{
    const struct check *check = arg;
    if (lane_advance(check->lane, 0, err) < 0)
        return -1;
    return compare(check, (size_t)check->reader.frames - 1, frame->pts, err);
}

static int open_file(struct check *check, unsigned threads, struct error *err)
{
    if (reader_open(check->written->path, "a chunk", threads, &check->reader, err) < 0)
        return -1;
    check->reader.progress_to = 0;
    /* Blocks' edges hide no damage, and their smoothing is a sixth of the work. */
    check->reader.video_decoder->skip_loop_filter = AVDISCARD_ALL;
    return 0;
}

static int decode_all(struct check *check, struct error *err)
{
    const struct reader_calls calls = {.video = on_frame, .arg = check};
    if (open_file(check, check->written->settings->threads, err) < 0 ||
        reader_run(&check->reader, &calls, err) < 0)
        return -1;
    return compare_count(check, (size_t)check->reader.frames, err);
}

static int read_packets(struct check *check, struct error *err)
{
    CLEANUP(packet_index_done) struct packet_index index = {0};
    if (open_file(check, 1, err) < 0 || packet_index_read(&check->reader, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.count; i++) {
        if (compare(check, i, index.times[i], err) < 0)
            return -1;
    }
    return compare_count(check, index.count, err);
}

static int decode_start(struct check *check, size_t frames, struct error *err)
{
    const struct chunk_written *written = check->written;
    const struct reader_calls calls = {.video = on_frame, .arg = check};
    check_close(check);
    check->reader = (struct reader){0};
    if (open_file(check, 1, err) < 0)
        return -1;
    const struct reader_range range = {.key = AV_NOPTS_VALUE,
                                       .from = INT64_MIN,
                                       .to = frames == written->count
                                                 ? INT64_MAX
                                                 : av_rescale_q(written->times[frames],
                                                                written->settings->time_base,
                                                                check->reader.video->time_base)};
    if (reader_run_range(&check->reader, &range, &calls, err) < 0)
        return -1;
    return (size_t)check->reader.frames == frames
               ? 0
               : error_set(err, ERROR_INTERNAL, "of a chunk's first %zu frames %lld decode", frames,
                           (long long)check->reader.frames);
}

int chunk_check(const struct chunk_written *written, bool all, struct lane *lane,
                size_t *ret_decoded, struct error *err)
{
    CLEANUP(check_close) struct check check = {.written = written, .lane = lane};
    *ret_decoded = all || written->count < CHUNK_CHECK_FRAMES ? written->count : CHUNK_CHECK_FRAMES;
    if (all ? decode_all(&check, err) == 0
            : read_packets(&check, err) == 0 && decode_start(&check, *ret_decoded, err) == 0)
        return 0;
    if (err->code == ERROR_DAMAGED || err->code == ERROR_CONFLICT)
        err->code = ERROR_INTERNAL;
    return error_wrap(err, "the check of what was encoded");
}

bool chunk_check_all(const char *verify, const struct encoder_settings *settings)
{
    return strcmp(verify, "auto") == 0
               ? settings->library != NULL || strcmp(encoder_name(settings), "libx264") != 0
               : strcmp(verify, "all") == 0;
}
