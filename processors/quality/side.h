/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One of the two videos: read and decoded whole, in a thread of its own, and handed out frame by
 * frame. Frames are taken by another thread than the one that decodes. */
#ifndef BATCHD_PROCESSORS_QUALITY_SIDE_H
#define BATCHD_PROCESSORS_QUALITY_SIDE_H

#include "common/error.h"
#include "processors/media/reader.h"
#include "processors/quality/frame_queue.h"

struct side {
    struct reader reader; /* the thread's until side_join */
    struct frame_queue queue;
    pthread_t thread;
    bool has_queue, running;
    int result;       /* of the reading, after side_join */
    struct error err; /* why it failed */
    bool started;     /* first_pts is set */
    int64_t first_pts;
};

/* *ret must be zeroed and not be moved; side_close in any case. `label` is borrowed. */
int side_open(const char *path, const char *label, unsigned threads, struct side *ret,
              struct error *err);
void side_close(struct side *side);

/* Starts the thread. 0, or -1 with ERROR_BUSY. */
int side_start(struct side *side, struct error *err);

/* Moves the next frame to `ret`, which must be blank; *ret_ns is its time from the first frame on,
 * in nanoseconds. false: there is none, because of the end or of an error that side_join tells. */
bool side_take(struct side *side, AVFrame *ret, int64_t *ret_ns);

/* Reads what is left without keeping it, and waits for the thread. -1 with err: the file is not
 * whole, or could not be read. */
int side_join(struct side *side, struct error *err);
/* Whether it was found that not all of it is there or decodes; false while the thread is at it. */
bool side_is_damaged(const struct side *side);

#endif
