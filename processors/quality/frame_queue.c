/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/frame_queue.h"

#include "common/alloc.h"

void frame_queue_init(struct frame_queue *queue)
{
    *queue = (struct frame_queue){.first = 0};
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_cond_init(&queue->changed, NULL);
    for (size_t i = 0; i < FRAME_QUEUE_SLOTS; i++) {
        queue->slots[i] = av_frame_alloc();
        if (queue->slots[i] == NULL)
            out_of_memory();
    }
}

void frame_queue_done(struct frame_queue *queue)
{
    for (size_t i = 0; i < FRAME_QUEUE_SLOTS; i++)
        av_frame_free(&queue->slots[i]);
    (void)pthread_cond_destroy(&queue->changed);
    (void)pthread_mutex_destroy(&queue->lock);
}

bool frame_queue_put(struct frame_queue *queue, AVFrame *frame)
{
    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == FRAME_QUEUE_SLOTS && !queue->cancelled)
        (void)pthread_cond_wait(&queue->changed, &queue->lock);
    const bool wanted = !queue->cancelled;
    if (wanted) {
        const unsigned last = (queue->first + queue->count) % FRAME_QUEUE_SLOTS;
        av_frame_move_ref(queue->slots[last], frame);
        queue->count++;
    }
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    return wanted;
}

bool frame_queue_take(struct frame_queue *queue, AVFrame *ret)
{
    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->ended)
        (void)pthread_cond_wait(&queue->changed, &queue->lock);
    const bool found = queue->count > 0;
    if (found) {
        av_frame_move_ref(ret, queue->slots[queue->first]);
        queue->first = (queue->first + 1) % FRAME_QUEUE_SLOTS;
        queue->count--;
    }
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    return found;
}

static void set(struct frame_queue *queue, bool *flag)
{
    (void)pthread_mutex_lock(&queue->lock);
    *flag = true;
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
}

void frame_queue_end(struct frame_queue *queue)
{
    set(queue, &queue->ended);
}

void frame_queue_cancel(struct frame_queue *queue)
{
    set(queue, &queue->cancelled);
}
