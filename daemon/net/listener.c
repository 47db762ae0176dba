#include "daemon/net/listener.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timers.h"
#include "daemon/core/meters.h"
#include "daemon/net/conn.h"

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* Clients taken in one go; the rest wait in the backlog for the next pass of the loop. */
#define ACCEPTS_PER_TURN 64
#define PAUSE_MS 100
#define OVERFLOW_UID 65534U

struct user_conns {
    uint32_t uid, count;
};

struct listener {
    struct event_base *base;
    int fd;
    int spare_fd; /* given up for a moment when descriptors run out, to turn a client away */
    struct event *acceptable;
    struct timer *resume;
    struct api *api;
    struct listener_options options;
    struct conn *all, *held;
    struct user_conns *users;
    size_t user_count;
    uint32_t count;
};

static struct user_conns *user_of(struct listener *listener, uint32_t uid)
{
    for (size_t i = 0; i < listener->user_count; i++) {
        if (listener->users[i].uid == uid)
            return &listener->users[i];
    }
    listener->users =
        xreallocarray(listener->users, listener->user_count + 1, sizeof(*listener->users));
    listener->users[listener->user_count] = (struct user_conns){.uid = uid};
    return &listener->users[listener->user_count++];
}

static void unhold(struct listener *listener, struct conn *conn)
{
    struct conn **link = &listener->held;
    while (*link != NULL && *link != conn)
        link = &conn_links(*link)->next_held;
    if (*link == conn)
        *link = conn_links(conn)->next_held;
    conn_links(conn)->is_held = false;
}

static void on_closed(void *arg, struct conn *conn)
{
    struct listener *listener = arg;
    struct conn_links *links = conn_links(conn);
    if (links->is_held)
        unhold(listener, conn);
    if (links->prev != NULL)
        conn_links(links->prev)->next = links->next;
    else
        listener->all = links->next;
    if (links->next != NULL)
        conn_links(links->next)->prev = links->prev;
    user_of(listener, conn_uid(conn))->count--;
    listener->options.meters->connections = --listener->count;
}

static void on_held(void *arg, struct conn *conn)
{
    struct listener *listener = arg;
    struct conn_links *links = conn_links(conn);
    links->is_held = true;
    links->next_held = listener->held;
    listener->held = conn;
}

static const struct conn_events conn_calls = {.closed = on_closed, .held = on_held};

/* One line for a client that cannot be served, sent without waiting for it. */
static void turn_away(int fd, const char *text)
{
    char line[256];
    int bytes = snprintf(line, sizeof(line),
                         "{\"error\":\"io.batchd.Busy\",\"parameters\":{\"retry_after_ms\":1000,"
                         "\"message\":\"%s\"}}",
                         text);
    ssize_t ignored = send(fd, line, (size_t)bytes + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
}

static void admit(struct listener *listener, int client)
{
    CLEANUP_CLOSE int fd = client;
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0 || peer.uid == UINT32_MAX ||
        (peer.uid == OVERFLOW_UID && peer.pid == 0)) {
        turn_away(fd, "the kernel does not say who you are");
        return;
    }
    if (listener->count >= listener->options.max_connections) {
        listener->options.meters->turned_away++;
        turn_away(fd, "too many connections (daemon.max_connections)");
        return;
    }
    struct user_conns *user = user_of(listener, peer.uid);
    if (user->count >= listener->options.max_per_user) {
        listener->options.meters->turned_away++;
        turn_away(fd, "too many connections of yours (daemon.max_connections_per_user)");
        return;
    }
    user->count++;
    listener->options.meters->connections = ++listener->count;
    struct conn *conn = conn_new(listener->base, TAKE_FD(fd), listener->api, peer.uid, peer.gid,
                                 &conn_calls, listener);
    struct conn_links *links = conn_links(conn);
    links->next = listener->all;
    if (listener->all != NULL)
        conn_links(listener->all)->prev = conn;
    listener->all = conn;
}

/* No descriptor is left: the listener would stay readable and the loop would spin. The spare
 * descriptor is given up to turn one client away, and accepting pauses. */
static void on_exhausted(struct listener *listener)
{
    log_warning("no file descriptors left for clients; accepting pauses for %d ms", PAUSE_MS);
    (void)close(listener->spare_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        turn_away(fd, "batchd is out of file descriptors");
        (void)close(fd);
    }
    listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)event_del(listener->acceptable);
    timer_set(listener->resume, PAUSE_MS);
}

static void on_resume(void *arg)
{
    struct listener *listener = arg;
    event_must_add(listener->acceptable, NULL);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct listener *listener = arg;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0) {
            admit(listener, client);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            on_exhausted(listener);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

struct listener *listener_new(struct event_base *base, int fd, struct api *api,
                              const struct listener_options *options)
{
    struct listener *listener = xcalloc(1, sizeof(*listener));
    *listener = (struct listener){.base = base, .fd = fd, .api = api, .options = *options};
    listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    listener->resume = timer_new(base, on_resume, listener);
    listener->acceptable = event_new(base, fd, EV_READ | EV_PERSIST, on_acceptable, listener);
    if (listener->acceptable == NULL)
        out_of_memory();
    event_must_add(listener->acceptable, NULL);
    return listener;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    while (listener->all != NULL) {
        struct conn *conn = listener->all;
        on_closed(listener, conn);
        conn_free(conn);
    }
    event_free(listener->acceptable);
    timer_free(listener->resume);
    (void)close(listener->fd);
    cleanup_close(&listener->spare_fd);
    free(listener->users);
    free(listener);
}

void listener_flush(struct listener *listener)
{
    struct conn *conn = listener->held;
    listener->held = NULL;
    while (conn != NULL) {
        struct conn *next = conn_links(conn)->next_held;
        conn_links(conn)->is_held = false;
        conn_flush(conn); /* may end it, or hold it again for the next turn */
        conn = next;
    }
}

bool listener_pending(const struct listener *listener)
{
    return listener->held != NULL;
}
