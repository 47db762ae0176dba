/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/first_frame.h"

#include "common/cleanup.h"
#include "processors/media/reader.h"

/* One is enough: the reading ends here. */
static int on_frame(void *arg, AVFrame *frame, struct error *err)
{
    struct reader *reader = arg;
    colour_add_frame(&reader->colour, frame);
    return error_set(err, ERROR_CONFLICT, "the first frame is all that was wanted");
}

void first_frame_read(const char *path, struct reader *reader)
{
    CLEANUP(reader_close) struct reader again = {0};
    const struct reader_calls calls = {.video = on_frame, .arg = reader};
    const struct reader_range range = {.key = AV_NOPTS_VALUE, .from = INT64_MIN, .to = INT64_MAX};
    struct error ignored;
    if (colour_is_hdr(&reader->colour) &&
        reader_open(path, reader->label, 1, &again, &ignored) == 0)
        (void)reader_run_range(&again, &range, &calls, &ignored);
}
