#include "worker/link.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536U

int link_accept(int listen_fd, uid_t front_uid)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    CLEANUP_CLOSE int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        return -1;
    const bool allowed =
        peer.uid == 0 || peer.uid == geteuid() || (front_uid != (uid_t)-1 && peer.uid == front_uid);
    return allowed ? TAKE_FD(fd) : -1;
}

void link_open(struct link *link, int fd)
{
    *link = (struct link){.fd = fd};
}

void link_close(struct link *link)
{
    if (link->fd >= 0)
        (void)close(link->fd);
    free(link->in);
    record_writer_done(&link->out);
    *link = (struct link){.fd = -1};
}

static void make_room(struct link *link)
{
    if (link->in_at > 0) {
        memmove(link->in, link->in + link->in_at, link->in_used - link->in_at);
        link->in_used -= link->in_at;
        link->in_at = 0;
    }
    if (link->in_room - link->in_used < READ_BYTES) {
        link->in_room = link->in_used + READ_BYTES;
        link->in = xreallocarray(link->in, link->in_room, 1);
    }
}

void link_read(struct link *link)
{
    make_room(link);
    ssize_t got = recv(link->fd, link->in + link->in_used, READ_BYTES, MSG_DONTWAIT);
    if (got > 0)
        link->in_used += (size_t)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        link->ended = true;
}

enum record_status link_next(struct link *link, struct record *ret)
{
    size_t used = 0;
    if (link->in_used == link->in_at)
        return RECORD_MORE;
    enum record_status status =
        record_parse(link->in + link->in_at, link->in_used - link->in_at, ret, &used);
    if (status == RECORD_OK)
        link->in_at += used;
    return status;
}

void link_flush(struct link *link)
{
    while (link->fd >= 0 && link->out_at < link->out.used) {
        ssize_t sent = send(link->fd, link->out.data + link->out_at, link->out.used - link->out_at,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            link->ended = link->ended || errno != EAGAIN;
            return;
        }
        link->out_at += (size_t)sent;
    }
    record_writer_clear(&link->out);
    link->out_at = 0;
}

size_t link_unsent(const struct link *link)
{
    return link->out.used - link->out_at;
}

short link_events(const struct link *link)
{
    return (short)(POLLIN | (link_unsent(link) > 0 ? POLLOUT : 0));
}
