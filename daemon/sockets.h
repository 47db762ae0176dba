/* The sockets that clients come to: those that systemd handed over, else our own; the control
 * socket, and those of HTTP. */
#ifndef BATCHD_DAEMON_SOCKETS_H
#define BATCHD_DAEMON_SOCKETS_H

#include "common/error.h"
#include "daemon/config.h"
#include "daemon/places.h"
#include "daemon/web/http_server.h"

/* Takes what systemd may have handed over into places->socket_fd and http_fds: once in a process;
 * the descriptors stay its own. 0, or -1 with ERROR_INVALID. */
int sockets_take(struct places *places, struct error *err);

/* The control socket; *ret_path is the one that was made, owned, or stays NULL. 0 or -1. */
int sockets_open_control(const struct places *places, int *ret_fd, char **ret_path,
                         struct error *err);

/* Lets `server` listen where the configuration says; *ret_path as above. What is not asked for and
 * cannot be had is logged. 0 or -1. */
int sockets_open_http(const struct config *config, const struct places *places,
                      struct http_server *server, char **ret_path, struct error *err);

#endif
