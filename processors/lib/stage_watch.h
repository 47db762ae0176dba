/* How much a processor may make of the folders that it writes in, looked at by a thread of the
 * publisher (publisher.h): the kernel limits how large each file becomes (sandbox.h), not how many
 * there are. One that was taken over could fill the disk, or take all of its file system's inodes;
 * it is stopped instead, what it made is removed, and it is killed with SIGKILL.
 *
 * Counted are the bytes that it has on their way to a disk, every second, and those that its files
 * have there, each 1 to 10 s by how many there are: not what is neither, files without a name that
 * are on no disk, or that room was only taken for. */
#ifndef BATCHD_PROCESSORS_LIB_STAGE_WATCH_H
#define BATCHD_PROCESSORS_LIB_STAGE_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STAGE_WATCH_FOLDERS 2

struct stage_watch {
    pid_t process;                    /* of the one that works */
    int pidfd;                        /* of it, too */
    int folders[STAGE_WATCH_FOLDERS]; /* that it writes in; -1: none */
    unsigned files;                   /* that it may have in these, at most */
    uint64_t outputs;                 /* that it may put in place, at most */
    /* Removes what it made; true: nothing of it is left, and nothing can be made there any more.
     * Called while that one is stopped, until it is true or for a second; if it never was, once
     * more when that one is dead. */
    bool (*clean)(void *arg);
    void *arg;
    atomic_bool
        in_vain;        /* what this process is at, once that one is dead: then the watch ends it */
    atomic_bool ending; /* it is being killed; the watch's own, as what follows */
    int64_t written_at; /* clock_monotonic_us: when its bytes are looked at again */
};

/* Begins to look; `watch` must stay. 0, or an errno: nobody looks. */
int stage_watch_start(struct stage_watch *watch);
/* Until that one is dead: whatever it does before, it is looked at. Does not come back where it is
 * killed: then the watch ends this process. */
void stage_watch_wait(struct stage_watch *watch);

#endif
