/* libevent 2.1's evhttp bounds a request (headers, body, time between two reads), and neither the
 * number of its connections nor their life. So each is noted as it comes: while there are
 * CONNECTIONS_MAX nothing more is accepted (it waits in the backlog), and one that is LIFE_US old
 * is shut down. Each answer closes its connection, so an idle one is one that sends too slowly. */
#include "daemon/web/http_server.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/timers.h"
#include "daemon/api/exposition.h"
#include "daemon/web/peer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 32U
/* Of one user at the Unix socket; for who comes over TCP nobody can say who it is. */
#define CONNECTIONS_OF_USER 8U
#define HEADERS_MAX 8192
/* More, so that headers which are too long are seen to be. */
#define READ_MAX (2 * (size_t)HEADERS_MAX)
#define READ_SECONDS 5
#define LIFE_US (10 * US_PER_SECOND)
#define SWEEP_MS 250
#define LISTENERS_MAX 4U
/* /metrics is made anew at most so often, however many ask. */
#define TEXT_LIFE_US 100000

struct connection {
    struct connection *next;
    struct bufferevent *stream; /* a reference */
    int64_t since;              /* monotonic */
};

struct text {
    char *bytes; /* owned */
    size_t length;
    int64_t made_at; /* monotonic */
};

struct http_server {
    struct http_options options;
    struct event_base *base;
    struct evhttp *http;
    struct evconnlistener *listeners[LISTENERS_MAX]; /* of `http` */
    size_t listener_count;
    struct timer *sweep;
    struct connection *connections;
    uint32_t count;
    struct text texts[2]; /* without, and with users */
};

/* ---- connections ---- */

/* evhttp takes its callbacks away as it lets go of a stream; the reference keeps the rest. */
static bool is_over(const struct connection *connection)
{
    void *owner = NULL;
    bufferevent_getcb(connection->stream, NULL, NULL, NULL, &owner);
    return owner == NULL;
}

static void note_count(struct http_server *server)
{
    *server->options.connections = server->count;
    for (size_t i = 0; i < server->listener_count; i++) {
        if (server->count < CONNECTIONS_MAX)
            (void)evconnlistener_enable(server->listeners[i]);
        else
            (void)evconnlistener_disable(server->listeners[i]);
    }
}

static void forget_over(struct http_server *server)
{
    struct connection **link = &server->connections;
    while (*link != NULL) {
        struct connection *connection = *link;
        if (!is_over(connection)) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        bufferevent_decref(connection->stream);
        free(connection);
        server->count--;
    }
}

/* evhttp sees that the other side has closed, and closes. */
static void shut(const struct connection *connection)
{
    (void)shutdown(bufferevent_getfd(connection->stream), SHUT_RDWR);
}

static uint32_t of_user(const struct http_server *server, uint32_t uid, const void *until)
{
    uint32_t count = 0;
    uint32_t found;
    for (const struct connection *one = server->connections; one != until; one = one->next)
        count += peer_uid(bufferevent_getfd(one->stream), &found) && found == uid;
    return count;
}

/* The newest are first in the list, so those of a user that are too many are the oldest. */
static void on_sweep(void *arg)
{
    struct http_server *server = arg;
    const int64_t now = clock_monotonic_us();
    uint32_t uid;
    forget_over(server);
    for (const struct connection *one = server->connections; one != NULL; one = one->next) {
        if (now - one->since > LIFE_US ||
            (peer_uid(bufferevent_getfd(one->stream), &uid) && uid != 0 &&
             uid != server->options.owner_uid && of_user(server, uid, one) >= CONNECTIONS_OF_USER))
            shut(one);
    }
    note_count(server);
    if (server->count > 0)
        timer_set(server->sweep, SWEEP_MS);
}

/* evhttp makes a connection of it. It is closed with our reference, which goes when evhttp has let
 * go of it: were it closed before, what libevent knows of its descriptor would be said of the next
 * one. Until then no more is read than one request may have. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
    struct http_server *server = arg;
    struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (stream == NULL)
        out_of_memory();
    bufferevent_setwatermark(stream, EV_READ, 0, READ_MAX);
    forget_over(server);
    struct connection *connection = xcalloc(1, sizeof(*connection));
    bufferevent_incref(stream);
    *connection = (struct connection){
        .next = server->connections, .stream = stream, .since = clock_monotonic_us()};
    server->connections = connection;
    server->count++;
    note_count(server);
    timer_set(server->sweep, SWEEP_MS);
    return stream;
}

/* Descriptors have run out: no use to try again at once. The sweep goes on. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct http_server *server = arg;
    (void)evconnlistener_disable(listener);
    timer_set(server->sweep, SWEEP_MS);
}

/* ---- requests ---- */

static int fd_of(struct evhttp_request *request)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    return bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
}

static void answer(struct evhttp_request *request, int code, const char *reason, const char *type,
                   const void *text, size_t bytes)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evbuffer_new();
    if (body == NULL || evbuffer_add(body, text, bytes) < 0)
        out_of_memory();
    (void)evhttp_add_header(headers, "Connection", "close");
    (void)evhttp_add_header(headers, "Content-Type", type);
    (void)evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    (void)evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply(request, code, reason, body);
    evbuffer_free(body);
}

static void answer_line(struct evhttp_request *request, int code, const char *reason,
                        const char *line)
{
    answer(request, code, reason, "text/plain; charset=utf-8", line, strlen(line));
}

/* By its kernel identity, root and batchd's owner are told of users; over TCP nobody is. */
static bool may_see_users(const struct http_server *server, int fd)
{
    uint32_t uid;
    return peer_uid(fd, &uid) && (uid == 0 || uid == server->options.owner_uid);
}

static void answer_metrics(struct http_server *server, struct evhttp_request *request)
{
    const bool of_users = may_see_users(server, fd_of(request));
    struct text *text = &server->texts[of_users];
    const int64_t now = clock_monotonic_us();
    if (text->bytes == NULL || now - text->made_at > TEXT_LIFE_US) {
        free(text->bytes);
        text->bytes = server->options.metrics(server->options.arg, of_users, &text->length);
        text->made_at = now;
    }
    answer(request, HTTP_OK, "OK", EXPOSITION_CONTENT_TYPE, text->bytes, text->length);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct http_server *server = arg;
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    const char *host = evhttp_find_header(evhttp_request_get_input_headers(request), "Host");
    const char *why;
    if (!peer_may_name(fd_of(request), host)) {
        answer_line(request, 421, "Misdirected Request", "ask for localhost\n");
    } else if (path != NULL && strcmp(path, "/metrics") == 0) {
        answer_metrics(server, request);
    } else if (path != NULL && strcmp(path, "/healthz") == 0) {
        answer_line(request, HTTP_OK, "OK", "ok\n");
    } else if (path != NULL && strcmp(path, "/readyz") == 0) {
        why = server->options.unready(server->options.arg);
        answer_line(request, why == NULL ? HTTP_OK : HTTP_SERVUNAVAIL,
                    why == NULL ? "OK" : "Service Unavailable", why == NULL ? "ok\n" : why);
    } else {
        answer_line(request, HTTP_NOTFOUND, "Not Found", "there are /metrics, /healthz, /readyz\n");
    }
}

/* ---- the server ---- */

struct http_server *http_server_new(struct event_base *base, const struct http_options *options)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    *server = (struct http_server){.options = *options, .base = base, .http = evhttp_new(base)};
    if (server->http == NULL)
        out_of_memory();
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(server->http, HEADERS_MAX);
    evhttp_set_max_body_size(server->http, 0);
    evhttp_set_timeout(server->http, READ_SECONDS);
    evhttp_set_bevcb(server->http, on_accept, server);
    evhttp_set_gencb(server->http, on_request, server);
    server->sweep = timer_new(base, on_sweep, server);
    return server;
}

int http_server_listen(struct http_server *server, int fd, struct error *err)
{
    if (server->listener_count == LISTENERS_MAX)
        return error_set_field(err, "http", "at most %u sockets serve HTTP", LISTENERS_MAX);
    struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(server->http, fd);
    if (bound == NULL)
        return error_set_errno(err, "http");
    struct evconnlistener *listener = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(listener, on_accept_error);
    server->listeners[server->listener_count++] = listener;
    return 0;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    evhttp_free(server->http); /* with its connections */
    server->listener_count = 0;
    forget_over(server);
    timer_free(server->sweep);
    free(server->texts[0].bytes);
    free(server->texts[1].bytes);
    free(server);
}
