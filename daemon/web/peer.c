#include "daemon/web/peer.h"

#include "common/cleanup.h"
#include "common/parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64
#define HOST_MAX 64U

/* Room for either family. */
struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

bool peer_uid(int fd, uint32_t *ret)
{
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof(own);
    struct ucred peer;
    socklen_t peer_length = sizeof(peer);
    if (getsockname(fd, (struct sockaddr *)&own, &length) < 0 || own.ss_family != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_length) < 0)
        return false;
    *ret = peer.uid;
    return true;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    if (address->ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 24U == IN_LOOPBACKNET;
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

bool peer_is_local(int fd)
{
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof(own);
    return getsockname(fd, (struct sockaddr *)&own, &length) == 0 &&
           (own.ss_family == AF_UNIX || is_loopback(&own));
}

/* ---- names ---- */

/* "HOST", "HOST:PORT" or "[HOST]:PORT" without the port and brackets. False: it is too long. */
static bool split(const char *text, char ret_host[HOST_MAX], const char **ret_port)
{
    bool brackets = text[0] == '[';
    const char *end = brackets ? strchr(text, ']') : strrchr(text, ':');
    const char *begin = text + brackets;
    if (end == NULL)
        end = text + strlen(text);
    if (brackets && *end == '\0')
        return false;
    size_t length = (size_t)(end - begin);
    if (length >= HOST_MAX)
        return false;
    memcpy(ret_host, begin, length);
    ret_host[length] = '\0';
    end += brackets && *end == ']';
    *ret_port = *end == ':' ? end + 1 : NULL;
    return *end == ':' || *end == '\0';
}

bool peer_may_name(int fd, const char *host)
{
    static const char *const names[] = {"localhost", "localhost.", "127.0.0.1", "::1"};
    char name[HOST_MAX];
    const char *port;
    uint32_t uid;
    if (peer_uid(fd, &uid))
        return true;
    if (host == NULL || !split(host, name, &port))
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* ---- listening ---- */

static int parse_loopback(const char *text, struct address *ret, struct error *err)
{
    char host[HOST_MAX];
    const char *port_text = NULL;
    uint64_t port = 0;
    struct sockaddr_in *four = (struct sockaddr_in *)&ret->storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ret->storage;
    memset(ret, 0, sizeof(*ret));
    if (!split(text, host, &port_text) || port_text == NULL ||
        parse_u64(port_text, 1, UINT16_MAX, &port, NULL) < 0)
        return error_set_field(err, "http.listen",
                               "\"%.80s\" must be ADDRESS:PORT, such as 127.0.0.1:9187", text);
    const char *numbers = strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, numbers, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        ret->length = sizeof(*four);
    } else if (inet_pton(AF_INET6, numbers, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        ret->length = sizeof(*six);
    }
    if (ret->length > 0 && is_loopback(&ret->storage))
        return 0;
    return error_set_field(err, "http.listen",
                           "\"%.80s\" must be a loopback address (127.0.0.1, [::1] or localhost): "
                           "others are reached through a proxy",
                           text);
}

int peer_check_loopback(const char *address, struct error *err)
{
    struct address parsed;
    return parse_loopback(address, &parsed, err);
}

int peer_listen_loopback(const char *address, int *ret_fd, struct error *err)
{
    struct address parsed;
    const int on = 1;
    if (parse_loopback(address, &parsed, err) < 0)
        return -1;
    CLEANUP_CLOSE int fd =
        socket(parsed.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&parsed.storage, parsed.length) < 0 ||
        listen(fd, BACKLOG) < 0)
        return error_set_errno(err, "http.listen: %.80s", address);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
