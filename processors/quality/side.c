/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/side.h"

#include "common/alloc.h"

int side_open(const char *path, const char *label, unsigned threads, struct side *ret,
              struct error *err)
{
    frame_queue_init(&ret->queue);
    ret->has_queue = true;
    return reader_open_still(path, label, threads, &ret->reader, err);
}

/* ---- the thread ---- */

static int on_frame(void *arg, AVFrame *frame, struct error *err)
{
    struct side *side = arg;
    return frame_queue_put(&side->queue, frame)
               ? 0
               : error_set(err, ERROR_BUSY, "nobody takes the frames any more");
}

static void *read_all(void *arg)
{
    struct side *side = arg;
    const struct reader_calls calls = {.video = on_frame, .arg = side};
    side->result = reader_run(&side->reader, &calls, &side->err);
    frame_queue_end(&side->queue);
    return NULL;
}

int side_start(struct side *side, struct error *err)
{
    if (pthread_create(&side->thread, NULL, read_all, side) != 0)
        return error_set(err, ERROR_BUSY, "no thread to read %s can be started",
                         side->reader.label);
    side->running = true;
    return 0;
}

static void wait_for(struct side *side)
{
    if (side->running)
        (void)pthread_join(side->thread, NULL);
    side->running = false;
}

/* ---- outside of it ---- */

bool side_take(struct side *side, AVFrame *ret, int64_t *ret_ns)
{
    const AVRational nanosecond = {1, 1000000000};
    if (!frame_queue_take(&side->queue, ret))
        return false;
    if (!side->started)
        side->first_pts = ret->pts;
    side->started = true;
    *ret_ns = av_rescale_q(ret->pts - side->first_pts, side->reader.video->time_base, nanosecond);
    return true;
}

int side_join(struct side *side, struct error *err)
{
    AVFrame *frame = av_frame_alloc();
    if (frame == NULL)
        out_of_memory();
    while (frame_queue_take(&side->queue, frame))
        av_frame_unref(frame);
    av_frame_free(&frame);
    wait_for(side);
    if (side->result < 0)
        *err = side->err;
    return side->result;
}

bool side_is_damaged(const struct side *side)
{
    return !side->running && side->reader.damaged;
}

void side_close(struct side *side)
{
    if (!side->has_queue)
        return;
    frame_queue_cancel(&side->queue);
    wait_for(side);
    frame_queue_done(&side->queue);
    reader_close(&side->reader);
}
