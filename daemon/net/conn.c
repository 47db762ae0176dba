#include "daemon/net/conn.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/timers.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>

/* While this much is unsent to a client, no more of its requests are read (reliability.md 4.4). */
#define OUTPUT_PAUSE_BYTES (256U << 10)
#define READ_BYTES 65536
/* Requests answered in one go before other clients get their turn. */
#define REQUESTS_PER_TURN 64

struct conn {
    struct conn_links links;
    int fd;
    struct event *readable, *writable;
    struct evbuffer *in, *out, *held;
    struct frame_scanner scanner;
    struct api *api;
    struct api_call *call; /* being answered; the next request waits for it */
    uint32_t uid, gid;
    const struct conn_events *events;
    void *arg;
    bool in_loop;   /* inside process(): a reply does not start the next request itself */
    bool finishing; /* no more requests; closes when all is sent */
    bool peer_done; /* the client will send no more */
};

uint32_t conn_uid(const struct conn *conn)
{
    return conn->uid;
}

struct conn_links *conn_links(struct conn *conn)
{
    return &conn->links;
}

static size_t unsent(const struct conn *conn)
{
    return evbuffer_get_length(conn->out) + evbuffer_get_length(conn->held);
}

static void hold(struct conn *conn)
{
    if (!conn->links.is_held)
        conn->events->held(conn->arg, conn);
}

static size_t on_backlog(void *arg)
{
    return unsent(arg);
}

static void process(struct conn *conn);

static void on_reply(void *arg, json_t *message, bool last)
{
    struct conn *conn = arg;
    if (message != NULL) {
        size_t bytes = 0;
        CLEANUP_FREE char *text = json_to_text(message, &bytes);
        text[bytes] = (char)conn->scanner.terminator; /* json_to_text leaves room for it */
        if (evbuffer_add(conn->held, text, bytes + 1) < 0)
            out_of_memory();
        json_decref(message);
    }
    if (last)
        conn->call = NULL;
    hold(conn);
}

static void on_text(void *arg, const char *text, size_t bytes)
{
    struct conn *conn = arg;
    const char terminator = (char)conn->scanner.terminator;
    if (text != NULL &&
        (evbuffer_add(conn->held, text, bytes) < 0 || evbuffer_add(conn->held, &terminator, 1) < 0))
        out_of_memory();
    on_reply(conn, NULL, true);
}

static const struct api_sink sink = {.send = on_reply, .send_text = on_text, .backlog = on_backlog};

/* A frame that cannot be one: answered once, then the connection closes. */
static void refuse_frame(struct conn *conn, const struct error *err)
{
    json_t *parameters = json_object();
    json_t *message = json_object();
    if (!conn->scanner.known)
        conn->scanner.terminator = '\n';
    json_put_text(parameters, "message", err->text);
    json_put_int(parameters, "limit", FRAME_BYTES_MAX);
    json_put_text(message, "error", "io.batchd.TooLarge");
    json_put(message, "parameters", parameters);
    conn->finishing = true;
    (void)evbuffer_drain(conn->in, evbuffer_get_length(conn->in));
    on_reply(conn, message, false);
}

static void answer_frame(struct conn *conn, const char *text, size_t bytes)
{
    conn->call = api_begin(conn->api, &sink, conn, conn->uid, conn->gid);
    api_request(conn->call, text, bytes);
}

static bool blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    }
    return true;
}

/* One whole frame from the input, answered. False when there is none to answer now. */
static bool process_one(struct conn *conn)
{
    size_t bytes = evbuffer_get_length(conn->in);
    size_t length = 0;
    struct error err;
    const char *data = bytes == 0 ? NULL : (const char *)evbuffer_pullup(conn->in, -1);
    if (data == NULL)
        return false;
    switch (frame_find(&conn->scanner, data, bytes, &length, &err)) {
    case FRAME_READY:
        break;
    case FRAME_REFUSED:
        refuse_frame(conn, &err);
        return false;
    case FRAME_MORE:
        return false;
    }
    if (!blank(data, length))
        answer_frame(conn, data, length);
    (void)evbuffer_drain(conn->in, length + 1);
    return true;
}

/* A client that is gone altogether hears no answer: what waits for one, or is still being worked
 * out, ends. */
static void drop_unheard(struct conn *conn)
{
    struct pollfd state = {.fd = conn->fd};
    struct api_call *call = conn->call;
    if (call == NULL || !conn->peer_done || poll(&state, 1, 0) <= 0 ||
        (state.revents & POLLHUP) == 0)
        return;
    conn->call = NULL;
    api_abort(call);
}

static void process(struct conn *conn)
{
    int done = 0;
    conn->in_loop = true;
    drop_unheard(conn);
    while (conn->call == NULL && !conn->finishing && unsent(conn) < OUTPUT_PAUSE_BYTES &&
           done < REQUESTS_PER_TURN && process_one(conn)) {
        drop_unheard(conn);
        done++;
    }
    conn->in_loop = false;
    if (done > 0 || conn->peer_done)
        hold(conn); /* the flush looks for further requests, and for the end */
}

/* Reads only while there is room for a frame and nobody is owed too much. */
static void update_reading(struct conn *conn)
{
    bool want = !conn->finishing && !conn->peer_done && unsent(conn) < OUTPUT_PAUSE_BYTES &&
                evbuffer_get_length(conn->in) <= FRAME_BYTES_MAX + 1;
    if (want)
        event_must_add(conn->readable, NULL);
    else
        (void)event_del(conn->readable);
}

static void close_conn(struct conn *conn)
{
    if (conn->call != NULL) {
        struct api_call *call = conn->call;
        conn->call = NULL;
        api_abort(call);
    }
    conn->events->closed(conn->arg, conn);
    conn_free(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct conn *conn = arg;
    int got = evbuffer_read(conn->in, fd, READ_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got < 0) {
        close_conn(conn);
        return;
    }
    conn->peer_done = got == 0;
    process(conn);
    update_reading(conn);
}

/* False when the connection is broken. */
static bool write_out(struct conn *conn)
{
    while (evbuffer_get_length(conn->out) > 0) {
        int wrote = evbuffer_write(conn->out, conn->fd);
        if (wrote < 0 && errno == EAGAIN) {
            event_must_add(conn->writable, NULL);
            return true;
        }
        if (wrote < 0 && errno != EINTR)
            return false;
    }
    (void)event_del(conn->writable);
    return true;
}

/* A client that shut its writing side still gets the answers it asked for; a stream or a wait has
 * no reader left to matter, so it ends. */
static bool over(const struct conn *conn)
{
    if (unsent(conn) > 0)
        return false;
    if (conn->finishing)
        return true;
    return conn->peer_done && (conn->call == NULL || conn->scanner.terminator == 0);
}

static void after_write(struct conn *conn)
{
    if (unsent(conn) < OUTPUT_PAUSE_BYTES)
        process(conn);
    update_reading(conn);
    if (over(conn))
        close_conn(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct conn *conn = arg;
    if (!write_out(conn))
        close_conn(conn);
    else
        after_write(conn);
}

void conn_flush(struct conn *conn)
{
    (void)evbuffer_add_buffer(conn->out, conn->held);
    if (!write_out(conn))
        close_conn(conn);
    else
        after_write(conn);
}

/* NOLINTNEXTLINE(readability-function-size): seven, each of another kind */
struct conn *conn_new(struct event_base *base, int fd, struct api *api, uint32_t uid, uint32_t gid,
                      const struct conn_events *events, void *arg)
{
    struct conn *conn = xcalloc(1, sizeof(*conn));
    *conn =
        (struct conn){.fd = fd, .api = api, .uid = uid, .gid = gid, .events = events, .arg = arg};
    conn->in = evbuffer_new();
    conn->out = evbuffer_new();
    conn->held = evbuffer_new();
    conn->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, conn);
    conn->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, conn);
    if (conn->in == NULL || conn->out == NULL || conn->held == NULL || conn->readable == NULL ||
        conn->writable == NULL)
        out_of_memory();
    event_must_add(conn->readable, NULL);
    return conn;
}

void conn_free(struct conn *conn)
{
    if (conn == NULL)
        return;
    if (conn->call != NULL)
        api_abort(conn->call);
    api_gone(conn->api, conn);
    event_free(conn->readable);
    event_free(conn->writable);
    evbuffer_free(conn->in);
    evbuffer_free(conn->out);
    evbuffer_free(conn->held);
    (void)close(conn->fd);
    free(conn);
}
