/* Who is at the other end of an HTTP connection, and where one may listen. */
#ifndef BATCHD_DAEMON_WEB_PEER_H
#define BATCHD_DAEMON_WEB_PEER_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The user, by the kernel; false: it is no Unix socket. */
bool peer_uid(int fd, uint32_t *ret);

/* Whether it may ask for this host (a header's value, or NULL). Over TCP only a loopback name:
 * else a page from elsewhere, whose name was made to mean this machine, could read what is here
 * through its visitor's browser. */
bool peer_may_name(int fd, const char *host);

/* "127.0.0.1:9187", "[::1]:9187" or "localhost:9187": a listening socket of a loopback address.
 * ERROR_INVALID with the field http.listen: it is none. 0 or -1. */
int peer_listen_loopback(const char *address, int *ret_fd, struct error *err);
/* The form alone. */
int peer_check_loopback(const char *address, struct error *err);
/* Whether a listening socket that systemd handed over is a Unix socket or one of loopback. */
bool peer_is_local(int fd);

#endif
