#include "common/client.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/json.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES 65536U
/* A reply with a thousand jobs of large argv; more is not believed. */
#define REPLY_BYTES_MAX ((size_t)1 << 30)

struct batchd_client {
    int fd;
    uint64_t timeout_ms;
    char *in;
    size_t used, room, at;
    char *error_name;
    json_t *error_parameters;
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

char *batchd_find_socket(const char *path)
{
    const char *given = path != NULL ? path : environment("BATCHD_SOCKET");
    const char *runtime = environment("XDG_RUNTIME_DIR");
    const char *state = environment("XDG_STATE_HOME");
    const char *home = environment("HOME");
    if (given != NULL)
        return xstrdup(given);
    CLEANUP_FREE char *own =
        runtime != NULL ? xasprintf("%s/batchd/batchd.sock", runtime)
        : state != NULL ? xasprintf("%s/batchd/batchd.sock", state)
                        : xasprintf("%s/.local/state/batchd/batchd.sock", home == NULL ? "" : home);
    return access(own, F_OK) == 0 ? TAKE_PTR(own) : xstrdup("/run/batchd/batchd.sock");
}

struct batchd_client *batchd_connect(const char *path, uint64_t timeout_ms, struct error *err)
{
    CLEANUP_FREE char *found = batchd_find_socket(path);
    int fd = -1;
    if (fd_connect_unix(found, &fd, err) < 0) {
        (void)error_wrap(err, "cannot reach batchd");
        return NULL;
    }
    (void)fd_set_nonblock(fd, true);
    struct batchd_client *client = xcalloc(1, sizeof(*client));
    client->fd = fd;
    client->timeout_ms = timeout_ms;
    return client;
}

void batchd_close(struct batchd_client *client)
{
    if (client == NULL)
        return;
    (void)close(client->fd);
    free(client->in);
    free(client->error_name);
    json_decref(client->error_parameters);
    free(client);
}

/* Waits for the socket: 0, or -1 with err. */
static int wait_for(const struct batchd_client *client, short events, int64_t deadline,
                    struct error *err)
{
    struct pollfd fd = {.fd = client->fd, .events = events};
    for (;;) {
        int64_t left = deadline == 0 ? -1 : (deadline - clock_monotonic_us()) / US_PER_MS;
        if (deadline != 0 && left <= 0)
            return error_set(err, ERROR_BUSY, "batchd did not answer within %llu ms",
                             (unsigned long long)client->timeout_ms);
        int ready = poll(&fd, 1, left > 1000000 ? 1000000 : (int)left);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return error_set_errno(err, "poll");
        if (ready < 0)
            return error_set(err, ERROR_BUSY, "interrupted");
    }
}

static int64_t deadline_of(const struct batchd_client *client)
{
    return client->timeout_ms == 0 ? 0
                                   : clock_monotonic_us() + (int64_t)client->timeout_ms * US_PER_MS;
}

static int broken(struct error *err, int number)
{
    return error_set(err, ERROR_UNREACHABLE, "the connection to batchd broke%s%s",
                     number == 0 ? "" : ": ", number == 0 ? "" : strerrordesc_np(number));
}

static int send_all(const struct batchd_client *client, const char *data, size_t bytes,
                    struct error *err)
{
    int64_t deadline = deadline_of(client);
    while (bytes > 0) {
        ssize_t sent = send(client->fd, data, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (wait_for(client, POLLOUT, deadline, err) < 0)
                return -1;
            continue;
        }
        if (sent < 0 && errno != EINTR)
            return broken(err, errno);
        if (sent > 0) {
            data += sent;
            bytes -= (size_t)sent;
        }
    }
    return 0;
}

static int send_request(struct batchd_client *client, const char *method, json_t *parameters,
                        bool more, struct error *err)
{
    CLEANUP_JSON json_t *request = json_object();
    size_t bytes = 0;
    json_put_text(request, "method", method);
    json_put(request, "parameters", parameters == NULL ? json_object() : parameters);
    if (more)
        json_put(request, "more", json_true());
    CLEANUP_FREE char *text = json_to_text(request, &bytes);
    free(client->error_name);
    client->error_name = NULL;
    json_decref(client->error_parameters);
    client->error_parameters = NULL;
    return send_all(client, text, bytes + 1, err); /* the NUL ends the frame */
}

/* One frame, parsed; owned. */
static json_t *read_reply(struct batchd_client *client, struct error *err)
{
    int64_t deadline = deadline_of(client);
    size_t searched = client->at;
    for (;;) {
        char *end = client->used == searched
                        ? NULL
                        : memchr(client->in + searched, '\0', client->used - searched);
        if (end != NULL) {
            json_error_t detail;
            size_t length = (size_t)(end - client->in) - client->at;
            json_t *reply =
                json_loadb(client->in + client->at, length, JSON_REJECT_DUPLICATES, &detail);
            client->at += length + 1;
            if (reply == NULL)
                (void)error_set(err, ERROR_PROTOCOL, "batchd sent no JSON: %s", detail.text);
            return reply;
        }
        searched = client->used;
        if (client->at > 0 && client->at == client->used)
            client->at = client->used = searched = 0;
        if (client->room - client->used < READ_BYTES) {
            client->room = client->room * 2 + READ_BYTES;
            client->in = xreallocarray(client->in, client->room, 1);
        }
        ssize_t got = client->used > REPLY_BYTES_MAX
                          ? 0
                          : recv(client->fd, client->in + client->used, READ_BYTES, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            (void)broken(err, got == 0 ? 0 : errno);
            return NULL;
        }
        if (got > 0)
            client->used += (size_t)got;
        else if (wait_for(client, POLLIN, deadline, err) < 0)
            return NULL;
    }
}

/* Takes `reply`; its parameters, or NULL with err. */
static json_t *take_parameters(struct batchd_client *client, json_t *reply, struct error *err)
{
    CLEANUP_JSON json_t *whole = reply;
    const json_t *name = json_object_get(whole, "error");
    json_t *parameters = json_object_get(whole, "parameters");
    if (name == NULL && json_is_object(parameters))
        return json_incref(parameters);
    if (!json_is_string(name)) {
        (void)error_set(err, ERROR_PROTOCOL, "batchd's reply has no parameters");
        return NULL;
    }
    const char *text = json_string_value(json_object_get(parameters, "message"));
    client->error_name = xstrdup(json_string_value(name));
    client->error_parameters = json_incref(parameters);
    (void)error_set(err, ERROR_CONFLICT, "%s", text == NULL ? client->error_name : text);
    return NULL;
}

json_t *batchd_call(struct batchd_client *client, const char *method, json_t *parameters,
                    struct error *err)
{
    if (send_request(client, method, parameters, false, err) < 0)
        return NULL;
    json_t *reply = read_reply(client, err);
    return reply == NULL ? NULL : take_parameters(client, reply, err);
}

json_t *batchd_stream(struct batchd_client *client, const char *method, json_t *parameters,
                      batchd_part_fn each, void *arg, struct error *err)
{
    if (send_request(client, method, parameters, true, err) < 0)
        return NULL;
    for (;;) {
        json_t *reply = read_reply(client, err);
        if (reply == NULL)
            return NULL;
        bool more = json_is_true(json_object_get(reply, "continues"));
        json_t *part = take_parameters(client, reply, err);
        if (part == NULL || !more)
            return part;
        int stop = each(arg, part);
        json_decref(part);
        if (stop != 0) {
            *err = (struct error){0};
            return NULL;
        }
    }
}

const char *batchd_error_name(const struct batchd_client *client)
{
    return client->error_name;
}

const json_t *batchd_error_parameters(const struct batchd_client *client)
{
    return client->error_parameters;
}
