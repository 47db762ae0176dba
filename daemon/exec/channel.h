/* A non-blocking stream of records (common/record.h) to the spawner or a worker, on the event loop.
 * What is sent is held until channel_flush, which the daemon calls after the commit: nothing leaves
 * before the store has it. */
#ifndef BATCHD_DAEMON_EXEC_CHANNEL_H
#define BATCHD_DAEMON_EXEC_CHANNEL_H

#include "common/record.h"

struct event_base;
struct channel;

struct channel_events {
    void (*record)(void *arg, struct record *record);
    /* The peer closed, failed, or spoke nonsense. Called once; the channel must be freed by then or
     * later, but not used for sending. */
    void (*closed)(void *arg);
};

/* Takes over the connected socket `fd`. */
struct channel *channel_new(struct event_base *base, int fd, const struct channel_events *events,
                            void *arg);
void channel_free(struct channel *channel); /* may be called from the callbacks */

/* Where the next record is to be appended by the put_* functions. */
struct record_writer *channel_writer(struct channel *channel);
void channel_flush(struct channel *channel);

#endif
