#include "daemon/sockets.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "daemon/web/peer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#define CONTROL_BACKLOG 1024
#define HTTP_BACKLOG 64

/* ---- from systemd ---- */

static int take(struct places *places, int fd, bool http, struct error *err)
{
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 ||
        (!http && sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0))
        return error_set_field(err, "socket",
                               "what systemd passed is not a listening Unix stream socket");
    if (http && !peer_is_local(fd))
        return error_set_field(err, "socket",
                               "the socket that systemd passed for HTTP must be a Unix socket or "
                               "one of a loopback address");
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (fd_set_nonblock(fd, true) < 0)
        return error_set_errno(err, "socket");
    if (!http)
        places->socket_fd = fd;
    else if (places->http_count < PLACES_HTTP_MAX)
        places->http_fds[places->http_count++] = fd;
    return 0;
}

static void free_names(char **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* Those named "http" (FileDescriptorName= of batchd-http.socket) serve HTTP. */
int sockets_take(struct places *places, struct error *err)
{
    char **names = NULL;
    const int count = sd_listen_fds_with_names(1, &names);
    int controls = 0;
    int result = 0;
    places->socket_fd = -1;
    for (int i = 0; i < count && result == 0; i++) {
        bool http = strcmp(names[i], "http") == 0;
        controls += !http;
        result = take(places, SD_LISTEN_FDS_START + i, http, err);
    }
    if (count > 0)
        free_names(names, count);
    if (result == 0 && controls > 1)
        return error_set_field(err, "socket", "systemd passed %d sockets; batchd takes one",
                               controls);
    return result;
}

/* The listener closes what it gets, and systemd keeps its own. */
static int copy_of(int fd, int *ret_fd, struct error *err)
{
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? error_set_errno(err, "socket") : 0;
}

/* ---- our own ---- */

int sockets_open_control(const struct places *places, int *ret_fd, char **ret_path,
                         struct error *err)
{
    if (places->socket_fd >= 0)
        return copy_of(places->socket_fd, ret_fd, err);
    if (fd_listen_unix(places->socket_path, CONTROL_BACKLOG, ret_fd, err) < 0)
        return -1;
    *ret_path = xstrdup(places->socket_path);
    return 0;
}

static int serve(struct http_server *server, int fd, struct error *err)
{
    if (http_server_listen(server, fd, err) == 0)
        return 0;
    (void)close(fd);
    return -1;
}

static int open_path(struct http_server *server, const char *path, char **ret_path,
                     struct error *err)
{
    int fd = -1;
    if (fd_listen_unix(path, HTTP_BACKLOG, &fd, err) < 0 || serve(server, fd, err) < 0)
        return error_wrap(err, "http.socket");
    *ret_path = xstrdup(path);
    return 0;
}

/* Beside the control socket, where that is our own. */
static void open_beside(struct http_server *server, const struct places *places, char **ret_path)
{
    struct error err;
    if (places->socket_fd >= 0 || places->http_count > 0)
        return;
    CLEANUP_FREE char *folder = xstrdup(places->socket_path);
    *strrchr(folder, '/') = '\0';
    CLEANUP_FREE char *path = xasprintf("%s/http.sock", folder);
    if (open_path(server, path, ret_path, &err) < 0)
        log_warning("nobody can ask for metrics: %s", err.text);
}

int sockets_open_http(const struct config *config, const struct places *places,
                      struct http_server *server, char **ret_path, struct error *err)
{
    int fd = -1;
    for (size_t i = 0; i < places->http_count; i++) {
        if (copy_of(places->http_fds[i], &fd, err) < 0 || serve(server, fd, err) < 0)
            return -1;
    }
    if (strcmp(config->http_socket, "auto") == 0)
        open_beside(server, places, ret_path);
    else if (strcmp(config->http_socket, "off") != 0 &&
             open_path(server, config->http_socket, ret_path, err) < 0)
        return -1;
    if (config->http_listen[0] == '\0')
        return 0;
    if (peer_listen_loopback(config->http_listen, &fd, err) < 0 || serve(server, fd, err) < 0)
        return -1;
    return 0;
}
