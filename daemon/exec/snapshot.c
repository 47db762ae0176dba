#include "daemon/exec/snapshot.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/timers.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is done in one pass of the loop. */
#define READ_BYTES 16384
/* Jobs and their daemon go before it: its own, not beside the daemon's, which may be above jobs. */
#define NICE 10
#define FIRST_DESCRIPTOR 3U /* behind standard input, output and error */

struct snapshot {
    struct snapshot *next;
    struct snapshots *all;
    pid_t pid;
    int fd;
    struct event *readable;
    struct evbuffer *in; /* the beginning of a line */
    struct timer *timer;
    struct snapshot_order order;
    size_t bytes;            /* so far */
    bool cancelled, stopped; /* stopped: for one of its limits */
};

struct snapshots {
    struct event_base *base;
    struct snapshot_limits limits;
    struct snapshot *list;
};

struct snapshots *snapshots_new(struct event_base *base, const struct snapshot_limits *limits)
{
    struct snapshots *all = xcalloc(1, sizeof(*all));
    *all = (struct snapshots){.base = base, .limits = *limits};
    return all;
}

/* ---- the child ---- */

void snapshot_write(struct snapshot_writer *writer, const char *line, size_t bytes)
{
    const char newline = '\n';
    const char *parts[] = {line, &newline};
    const size_t lengths[] = {bytes, 1};
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < lengths[i];) {
            ssize_t wrote = write(writer->fd, parts[i] + at, lengths[i] - at);
            if (wrote < 0 && errno != EINTR)
                _exit(EXIT_FAILURE); /* nobody reads it any more */
            at += wrote > 0 ? (size_t)wrote : 0;
        }
    }
}

/* What it inherited of the loop must not answer signals, nor its descriptors keep connections open.
 * When memory is out it goes before the daemon. */
static void leave_daemon(int fd)
{
    struct sigaction fallback = {.sa_handler = SIG_DFL};
    sigset_t none;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &fallback, NULL);
    if ((unsigned)fd > FIRST_DESCRIPTOR)
        (void)close_range(FIRST_DESCRIPTOR, (unsigned)fd - 1, 0);
    (void)close_range((unsigned)fd + 1, ~0U, 0);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    CLEANUP_CLOSE int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0 && write(score, "900", 3) < 0)
        errno = 0;
    if (setpriority(PRIO_PROCESS, 0, NICE) < 0)
        errno = 0;
}

static _Noreturn void run_child(int fd, pid_t parent, const struct snapshot_order *order)
{
    struct snapshot_writer writer = {.fd = fd};
    leave_daemon(fd);
    if (getppid() == parent)
        order->work(order->work_arg, &writer);
    _exit(EXIT_SUCCESS);
}

/* ---- the daemon ---- */

static void destroy(struct snapshot *snapshot)
{
    struct snapshot **link = &snapshot->all->list;
    while (*link != snapshot)
        link = &(*link)->next;
    *link = snapshot->next;
    if (snapshot->readable != NULL)
        event_free(snapshot->readable);
    timer_free(snapshot->timer);
    evbuffer_free(snapshot->in);
    (void)close(snapshot->fd);
    free(snapshot);
}

void snapshots_free(struct snapshots *all)
{
    if (all == NULL)
        return;
    while (all->list != NULL) {
        (void)kill(all->list->pid, SIGKILL);
        (void)waitpid(all->list->pid, NULL, 0);
        destroy(all->list);
    }
    free(all);
}

static void stop(struct snapshot *snapshot)
{
    snapshot->stopped = true;
    (void)kill(snapshot->pid, SIGKILL); /* the pipe's end comes then */
}

static void on_time(void *arg)
{
    stop(arg);
}

/* The pipe has ended, so the child has, or is about to. */
static void finish(struct snapshot *snapshot)
{
    const struct snapshot_order order = snapshot->order;
    bool cancelled = snapshot->cancelled;
    bool stopped = snapshot->stopped;
    bool cut = evbuffer_get_length(snapshot->in) > 0;
    int status = 0;
    struct error err;
    pid_t ended;
    do
        ended = waitpid(snapshot->pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    destroy(snapshot);
    if (cancelled)
        return;
    if (!cut && ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
        order.events->done(order.events_arg, NULL);
        return;
    }
    if (stopped)
        (void)error_set(&err, ERROR_LIMIT, "the answer took too long");
    else
        (void)error_set(&err, ERROR_IO, "the process that was to answer ended before it did");
    order.events->done(order.events_arg, &err);
}

static void take_lines(struct snapshot *snapshot)
{
    size_t bytes = 0;
    char *line;
    while (!snapshot->cancelled &&
           (line = evbuffer_readln(snapshot->in, &bytes, EVBUFFER_EOL_LF)) != NULL) {
        snapshot->order.events->line(snapshot->order.events_arg, line, bytes);
        free(line);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct snapshot *snapshot = arg;
    (void)what;
    int got = evbuffer_read(snapshot->in, fd, READ_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        finish(snapshot);
        return;
    }
    snapshot->bytes += (size_t)got;
    if (snapshot->bytes > snapshot->all->limits.answer_bytes)
        stop(snapshot);
    else if (!snapshot->stopped)
        take_lines(snapshot);
}

int snapshots_check(const struct snapshots *all, uint32_t uid, struct error *err)
{
    unsigned count = 0;
    unsigned mine = 0;
    for (const struct snapshot *one = all->list; one != NULL; one = one->next) {
        count++;
        mine += one->order.uid == uid;
    }
    if (mine >= all->limits.most_of_user)
        return error_set(err, ERROR_BUSY,
                         "%u predictions of yours are being made; that is the "
                         "most at a time",
                         mine);
    if (count >= all->limits.most)
        return error_set(err, ERROR_BUSY,
                         "%u predictions are being made; that is the most at a time", count);
    return 0;
}

/* All signals are blocked over the fork, or the child would answer one as the daemon does. */
static pid_t fork_child(int fd, const struct snapshot_order *order)
{
    sigset_t all, before;
    pid_t parent = getpid();
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_child(fd, parent, order);
    int saved = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

static struct snapshot *watch(struct snapshots *all, const struct snapshot_order *order, pid_t pid,
                              int fd)
{
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
    *snapshot =
        (struct snapshot){.next = all->list, .all = all, .pid = pid, .fd = fd, .order = *order};
    all->list = snapshot;
    snapshot->in = evbuffer_new();
    snapshot->timer = timer_new(all->base, on_time, snapshot);
    snapshot->readable = event_new(all->base, fd, EV_READ | EV_PERSIST, on_readable, snapshot);
    if (snapshot->in == NULL || snapshot->readable == NULL)
        out_of_memory();
    event_must_add(snapshot->readable, NULL);
    timer_set(snapshot->timer, all->limits.time_ms);
    return snapshot;
}

struct snapshot *snapshot_start(struct snapshots *all, const struct snapshot_order *order,
                                struct error *err)
{
    int fds[2];
    if (snapshots_check(all, order->uid, err) < 0)
        return NULL;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        (void)error_set_errno(err, "cannot make a pipe");
        return NULL;
    }
    CLEANUP_CLOSE int mine = fds[0];
    CLEANUP_CLOSE int theirs = fds[1];
    (void)fcntl(mine, F_SETFL, O_NONBLOCK);
    pid_t pid = fork_child(theirs, order);
    if (pid < 0) {
        (void)error_set_errno(err, "cannot make a process");
        err->code = err->saved_errno == EAGAIN ? ERROR_BUSY : err->code;
        return NULL;
    }
    return watch(all, order, pid, TAKE_FD(mine));
}

void snapshot_cancel(struct snapshot *snapshot)
{
    snapshot->cancelled = true;
    (void)kill(snapshot->pid, SIGKILL);
}
