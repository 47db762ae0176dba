#include "worker/pipes.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#define READ_BYTES 65536U
/* A pipe holds 64 KiB unless its owner enlarged it (1 MiB at most for users): after the last writer
 * is dead less than this is left to read. Who holds an end of it elsewhere might write for ever. */
#define DRAIN_BYTES_MAX ((size_t)4 << 20)

struct pipes {
    pipes_sink_fn sink;
    void *arg;
    char *buffer;       /* READ_BYTES */
    int fds[PIPES_MAX]; /* -1 when closed */
};

struct pipes *pipes_new(pipes_sink_fn sink, void *arg)
{
    struct pipes *pipes = xcalloc(1, sizeof(*pipes));
    *pipes = (struct pipes){.sink = sink, .arg = arg, .buffer = xmalloc(READ_BYTES)};
    for (int i = 0; i < PIPES_MAX; i++)
        pipes->fds[i] = -1;
    return pipes;
}

static void close_one(struct pipes *pipes, int which)
{
    cleanup_close(&pipes->fds[which]);
    pipes->fds[which] = -1;
}

void pipes_close(struct pipes *pipes)
{
    for (int i = 0; i < PIPES_MAX; i++)
        close_one(pipes, i);
}

void pipes_free(struct pipes *pipes)
{
    if (pipes == NULL)
        return;
    pipes_close(pipes);
    free(pipes->buffer);
    free(pipes);
}

int pipes_make(uid_t uid, gid_t gid, int ret[2])
{
    if (pipe2(ret, O_CLOEXEC) < 0)
        return -1;
    if (uid == (uid_t)-1 || fchown(ret[1], uid, gid) == 0)
        return 0;
    for (int i = 0; i < 2; i++)
        cleanup_close(&ret[i]);
    return -1;
}

int pipes_open(struct pipes *pipes, const struct pipes_wanted *wanted, int writers[PIPES_MAX])
{
    const bool made[PIPES_MAX] = {true, true, wanted->lines, wanted->notes};
    for (int i = 0; i < PIPES_MAX; i++)
        writers[i] = -1;
    for (int i = 0; i < PIPES_MAX; i++) {
        int pair[2];
        if (!made[i])
            continue;
        if (pipes_make(wanted->uid, wanted->gid, pair) < 0)
            return -1;
        pipes->fds[i] = pair[0];
        writers[i] = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) /* our end only: the job's blocks */
            return -1;
    }
    return 0;
}

/* How many bytes; 0: there are none now, or never again. */
static size_t read_one(struct pipes *pipes, int which)
{
    ssize_t got;
    do
        got = read(pipes->fds[which], pipes->buffer, READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        pipes->sink(pipes->arg, (enum pipe_kind)which, pipes->buffer, (size_t)got);
        return (size_t)got;
    }
    if (got == 0 || errno != EAGAIN)
        close_one(pipes, which);
    return 0;
}

void pipes_drain(struct pipes *pipes)
{
    for (int i = 0; i < PIPES_MAX; i++) {
        size_t drained = 0, got = 1;
        while (pipes->fds[i] >= 0 && drained < DRAIN_BYTES_MAX && got > 0) {
            got = read_one(pipes, i);
            drained += got;
        }
    }
    pipes_close(pipes);
}

nfds_t pipes_poll(const struct pipes *pipes, struct pollfd *fds)
{
    nfds_t count = 0;
    for (int i = 0; i < PIPES_MAX; i++) {
        if (pipes->fds[i] >= 0)
            fds[count++] = (struct pollfd){.fd = pipes->fds[i], .events = POLLIN};
    }
    return count;
}

void pipes_handle(struct pipes *pipes, const struct pollfd *fds, nfds_t count)
{
    for (nfds_t at = 0; at < count; at++) {
        for (int i = 0; i < PIPES_MAX && fds[at].revents != 0; i++) {
            if (pipes->fds[i] == fds[at].fd) {
                (void)read_one(pipes, i);
                break;
            }
        }
    }
}
