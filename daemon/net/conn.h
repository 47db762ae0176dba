/* One client's connection: bytes to frames, frames to api calls one after another, replies held
 * until the turn's commit. Identity is what the kernel said at accept. */
#ifndef BATCHD_DAEMON_NET_CONN_H
#define BATCHD_DAEMON_NET_CONN_H

#include "daemon/api/api.h"

struct event_base;
struct conn;

struct conn_events {
    void (*closed)(void *arg, struct conn *conn); /* the owner forgets it; it frees itself */
    void (*held)(void *arg, struct conn *conn);   /* it has output to flush at the turn's end */
};

struct conn *conn_new(struct event_base *base, int fd, struct api *api, uint32_t uid, uint32_t gid,
                      const struct conn_events *events, void *arg);
void conn_free(struct conn *conn);

/* Sends what is held. Called once after the commit of the turn for each conn that said `held`; may
 * close the connection. */
void conn_flush(struct conn *conn);
uint32_t conn_uid(const struct conn *conn);

/* For the owner's lists. */
struct conn_links {
    struct conn *next, *prev; /* all connections */
    struct conn *next_held;
    bool is_held;
};
struct conn_links *conn_links(struct conn *conn);

#endif
