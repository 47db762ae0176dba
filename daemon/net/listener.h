/* The control socket: accepts clients, asks the kernel who they are, bounds their number in all and
 * per user, and survives running out of descriptors without spinning. */
#ifndef BATCHD_DAEMON_NET_LISTENER_H
#define BATCHD_DAEMON_NET_LISTENER_H

#include "daemon/api/api.h"

struct event_base;
struct meters;
struct listener;

struct listener_options {
    uint32_t max_connections, max_per_user;
    struct meters *meters; /* where clients are counted; borrowed for life */
};

/* Takes over the listening descriptor. */
struct listener *listener_new(struct event_base *base, int fd, struct api *api,
                              const struct listener_options *options);
void listener_free(struct listener *listener); /* closes all connections */

/* After the turn's commit: sends every held reply. */
void listener_flush(struct listener *listener);
/* True when some connection waits for its flush. */
bool listener_pending(const struct listener *listener);

#endif
