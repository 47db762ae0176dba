#include "common/worker_folder.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#define NAME_BYTES 24

static void name_of(uint64_t worker, char name[NAME_BYTES])
{
    (void)snprintf(name, NAME_BYTES, "%llu", (unsigned long long)worker);
}

int worker_folder_open(int workers_fd, uint64_t worker)
{
    char name[NAME_BYTES];
    name_of(worker, name);
    return openat(workers_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int worker_folder_lock(int folder_fd)
{
    CLEANUP_CLOSE int fd = openat(folder_fd, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    return TAKE_FD(fd);
}

int worker_folder_remove(int workers_fd, uint64_t worker)
{
    /* The lock goes last: should we die in between, the folder can still be judged. */
    static const char *const names[] = {"sock", "cgroup", "log", "lock"};
    char name[NAME_BYTES];
    CLEANUP_CLOSE int folder = worker_folder_open(workers_fd, worker);
    if (folder < 0)
        return errno == ENOENT ? 0 : -1;
    CLEANUP_CLOSE int lock = worker_folder_lock(folder);
    if (lock < 0 && errno != ENOENT)
        return -1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (unlinkat(folder, names[i], 0) < 0 && errno != ENOENT)
            return -1;
    }
    name_of(worker, name);
    return unlinkat(workers_fd, name, AT_REMOVEDIR);
}
