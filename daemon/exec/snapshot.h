/* Work on a copy of the daemon: a question that takes long is answered by a child that has all of
 * its memory as it is now (fork, copy on write), while the daemon goes on. The child has neither
 * store nor sockets, writes lines into a pipe and ends. At most so many at a time, each within its
 * time. */
#ifndef BATCHD_DAEMON_EXEC_SNAPSHOT_H
#define BATCHD_DAEMON_EXEC_SNAPSHOT_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct snapshots;
struct snapshot;

struct snapshot_limits {
    unsigned most, most_of_user; /* at the same time */
    uint64_t time_ms;            /* of each; then it is killed */
    size_t answer_bytes;
};

/* Where the child's lines go. */
struct snapshot_writer {
    int fd;
};

/* In the child: all of the daemon's memory may be used up, and nothing of it outlives the return.
 * It must not touch the store, the event loop or a descriptor. */
typedef void (*snapshot_work_fn)(void *arg, struct snapshot_writer *writer);
/* One line, without a line feed in it. */
void snapshot_write(struct snapshot_writer *writer, const char *line, size_t bytes);

struct snapshot_events {
    void (*line)(void *arg, const char *line, size_t bytes);
    /* The last call. NULL: the child said all that it had to say. ERROR_LIMIT: it was stopped for
     * its time or the length of its answer. */
    void (*done)(void *arg, const struct error *err);
};

/* What is asked, by whom, and what the answers are for. */
struct snapshot_order {
    uint32_t uid;
    snapshot_work_fn work;
    void *work_arg; /* the child's own copy of it */
    const struct snapshot_events *events;
    void *events_arg;
};

struct snapshots *snapshots_new(struct event_base *base, const struct snapshot_limits *limits);
void snapshots_free(struct snapshots *all); /* kills what runs */

/* -1 with ERROR_BUSY: there are as many as there may be, as it would be with snapshot_start. */
int snapshots_check(const struct snapshots *all, uint32_t uid, struct error *err);
/* NULL with ERROR_BUSY: there are as many as there may be; ERROR_IO: the kernel refused a process.
 */
struct snapshot *snapshot_start(struct snapshots *all, const struct snapshot_order *order,
                                struct error *err);
/* Its child is killed and its events are not called any more; not from within them. */
void snapshot_cancel(struct snapshot *snapshot);

#endif
