/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frames on their way from the thread that decodes them to the one that compares them; few, so that
 * memory does not depend on the length of the video. One putter, one taker. */
#ifndef BATCHD_PROCESSORS_QUALITY_FRAME_QUEUE_H
#define BATCHD_PROCESSORS_QUALITY_FRAME_QUEUE_H

#include <libavutil/frame.h>
#include <pthread.h>
#include <stdbool.h>

/* A frame of 8K with 10 bits has 100 MB. */
#define FRAME_QUEUE_SLOTS 4

struct frame_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    AVFrame *slots[FRAME_QUEUE_SLOTS]; /* owned; a ring */
    unsigned first, count;
    bool ended;     /* nothing more will be put */
    bool cancelled; /* nothing more will be taken */
};

void frame_queue_init(struct frame_queue *queue);
void frame_queue_done(struct frame_queue *queue);

/* Waits for room and moves the frame's references in. false: nobody takes it any more. */
bool frame_queue_put(struct frame_queue *queue, AVFrame *frame);
void frame_queue_end(struct frame_queue *queue);

/* Waits for the next frame and moves it to `ret`, which must be blank. false: there is none. */
bool frame_queue_take(struct frame_queue *queue, AVFrame *ret);
void frame_queue_cancel(struct frame_queue *queue);

#endif
