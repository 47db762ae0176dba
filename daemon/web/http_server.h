/* HTTP for who watches: /metrics, /healthz and /readyz, to be read only. On a Unix socket, and on
 * loopback addresses when that is asked for. Nobody who connects can hold or grow anything: so many
 * connections at a time, each with one request of a few kilobytes and ten seconds. */
#ifndef BATCHD_DAEMON_WEB_HTTP_SERVER_H
#define BATCHD_DAEMON_WEB_HTTP_SERVER_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct http_server;

struct http_options {
    uint32_t owner_uid; /* may be told of all users, as root may */
    /* The text of /metrics, owned by the caller; who may be told of users gets their series. */
    char *(*metrics)(void *arg, bool of_users, size_t *ret_bytes);
    /* NULL, or why no jobs are taken. */
    const char *(*unready)(void *arg);
    void *arg;
    uint32_t *connections; /* how many there are is written there */
};

struct http_server *http_server_new(struct event_base *base, const struct http_options *options);
void http_server_free(struct http_server *server); /* NULL is allowed */

/* Serves what connects to this listening socket, and owns it, on success. 0 or -1. */
int http_server_listen(struct http_server *server, int fd, struct error *err);

#endif
