#include "worker/pipes.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#define READ_BYTES 65536U
/* A pipe holds 64 KiB unless its owner enlarged it (1 MiB at most for users): after the last writer
 * is dead no more than this is left to read. */
#define DRAIN_READS 64

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

int pipes_open(struct pipes *pipes, const struct pipes_wanted *wanted, int writers[PIPES_MAX])
{
    const bool made[PIPES_MAX] = {true, true, wanted->lines, wanted->notes};
    for (int i = 0; i < PIPES_MAX; i++)
        writers[i] = -1;
    for (int i = 0; i < PIPES_MAX; i++) {
        int pair[2];
        if (!made[i])
            continue;
        if (pipe2(pair, O_CLOEXEC) < 0)
            return -1;
        pipes->fds[i] = pair[0];
        writers[i] = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) /* our end only: the job's blocks */
            return -1;
        /* Its own, so that it may open /dev/stderr once more. */
        if (wanted->uid != (uid_t)-1 && fchown(pair[1], wanted->uid, wanted->gid) < 0)
            return -1;
    }
    return 0;
}

/* True when there may be more. */
static bool read_one(struct pipes *pipes, int which)
{
    ssize_t got = read(pipes->fds[which], pipes->buffer, READ_BYTES);
    if (got > 0) {
        pipes->sink(pipes->arg, (enum pipe_kind)which, pipes->buffer, (size_t)got);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    close_one(pipes, which);
    return false;
}

void pipes_drain(struct pipes *pipes)
{
    for (int i = 0; i < PIPES_MAX; i++) {
        for (int reads = 0; pipes->fds[i] >= 0 && reads < DRAIN_READS && read_one(pipes, i);
             reads++)
            ;
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
