/* On which file system a path is, by the kernel's list of mounts alone (ROOT/proc/self/mountinfo,
 * proc(5)): nothing on the way is touched, so a network file system that hangs hangs nobody. For
 * the same reason only file systems of this machine's disks and memory are asked what is free;
 * those of a network or of a program (NFS, SMB, FUSE, 9p) are not; nor what our own unit hides from
 * us, as /home from the system's batchd. */
#ifndef BATCHD_DAEMON_RESOURCES_MOUNTS_H
#define BATCHD_DAEMON_RESOURCES_MOUNTS_H

#include "daemon/core/volume.h"

struct mounts;

struct mount {
    const char *point;
    uint64_t device; /* the same for all mounts of one file system */
    bool local;
};

/* Empty when it cannot be read. */
struct mounts *mounts_read(const char *root);
void mounts_free(struct mounts *mounts); /* NULL is allowed */

/* Of an absolute path, or one from `folder` on; its links are not followed. Borrowed; NULL: it is
 * on none. */
const struct mount *mounts_find(const struct mounts *mounts, const char *folder, const char *path);
/* The same one is still there. */
bool mounts_have(const struct mounts *mounts, const char *point, uint64_t device);

/* What is free there: of one that is local. */
void mounts_ask(const char *point, struct volume_room *ret);

#endif
