#include "daemon/exec/channel.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/timers.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

/* One read: several EXITED records; RUN records only go the other way. */
#define READ_BYTES 65536

struct channel {
    int fd;
    struct event *readable, *writable;
    struct evbuffer *in, *out;
    struct record_writer held;
    const struct channel_events *events;
    void *arg;
    bool busy;  /* inside a callback */
    bool freed; /* to be freed when the callback returns */
    bool closed;
};

static void destroy(struct channel *channel)
{
    if (channel->readable != NULL)
        event_free(channel->readable);
    if (channel->writable != NULL)
        event_free(channel->writable);
    evbuffer_free(channel->in);
    evbuffer_free(channel->out);
    record_writer_done(&channel->held);
    (void)close(channel->fd);
    free(channel);
}

static void report_closed(struct channel *channel)
{
    if (channel->closed || channel->freed)
        return;
    channel->closed = true;
    (void)event_del(channel->readable);
    (void)event_del(channel->writable);
    channel->events->closed(channel->arg);
}

static void drain_records(struct channel *channel)
{
    for (;;) {
        size_t bytes = evbuffer_get_length(channel->in);
        unsigned char *data = bytes > 0 ? evbuffer_pullup(channel->in, -1) : NULL;
        struct record record;
        size_t used;
        enum record_status status =
            data == NULL ? RECORD_MORE : record_parse(data, bytes, &record, &used);
        if (status == RECORD_BAD)
            log_error("a worker sent a damaged record; its connection is closed");
        if (status == RECORD_BAD)
            report_closed(channel);
        if (status != RECORD_OK)
            return;
        channel->events->record(channel->arg, &record);
        if (channel->freed || channel->closed)
            return;
        (void)evbuffer_drain(channel->in, used);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct channel *channel = arg;
    int got = evbuffer_read(channel->in, fd, READ_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    channel->busy = true;
    if (got > 0)
        drain_records(channel);
    else
        report_closed(channel);
    channel->busy = false;
    if (channel->freed)
        destroy(channel);
}

static void write_out(struct channel *channel)
{
    while (evbuffer_get_length(channel->out) > 0) {
        int wrote = evbuffer_write(channel->out, channel->fd);
        if (wrote < 0 && errno == EAGAIN) {
            event_must_add(channel->writable, NULL);
            return;
        }
        /* The peer is told that no more comes, if it lives; then its end is reported by the read
         * side, after its last records were read. */
        if (wrote <= 0 && errno != EINTR) {
            (void)shutdown(channel->fd, SHUT_WR);
            break;
        }
    }
    (void)event_del(channel->writable);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    write_out(arg);
}

struct channel *channel_new(struct event_base *base, int fd, const struct channel_events *events,
                            void *arg)
{
    struct channel *channel = xcalloc(1, sizeof(*channel));
    (void)fd_set_nonblock(fd, true);
    channel->fd = fd;
    channel->events = events;
    channel->arg = arg;
    channel->in = evbuffer_new();
    channel->out = evbuffer_new();
    channel->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel);
    channel->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, channel);
    if (channel->in == NULL || channel->out == NULL || channel->readable == NULL ||
        channel->writable == NULL)
        out_of_memory();
    event_must_add(channel->readable, NULL);
    return channel;
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    channel->freed = true;
    if (!channel->busy)
        destroy(channel);
}

struct record_writer *channel_writer(struct channel *channel)
{
    return &channel->held;
}

void channel_flush(struct channel *channel)
{
    if (channel->held.used == 0 || channel->closed)
        return;
    if (evbuffer_add(channel->out, channel->held.data, channel->held.used) < 0)
        out_of_memory();
    record_writer_clear(&channel->held);
    write_out(channel);
}
