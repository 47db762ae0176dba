/* A library for LD_PRELOAD that records what batchd does to its store (SQLite's calls on
 * STATE/batchd.db*) and what it sends on its sockets, in one order, into BATCHD_POWER_TRACE. It
 * changes nothing of what is done. STATE is in BATCHD_POWER_STATE.
 *
 * A record is written when the call came back, before batchd can act on it: what is sent after a
 * sync stands behind it. batchd's store has one thread. Copies of the daemon (predictions) and its
 * children are other processes: they are left alone. */
#include "tests/power/trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 65536

enum role { ROLE_NONE, ROLE_STORE, ROLE_FOLDER, ROLE_CONNECTION };

/* One for the process: a preloaded library has nobody who could hand it a context. */
static struct {
    int fd;    /* the trace */
    pid_t pid; /* whose calls are recorded; 0: nobody's yet */
    char role[FDS_MAX];
    uint64_t inode[FDS_MAX];
} recorder = {.fd = -1};

#define REAL(name) (__extension__(__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static bool recording(int fd)
{
    return recorder.pid != 0 && fd >= 0 && fd < FDS_MAX && recorder.pid == getpid();
}

static void record(enum trace_kind kind, uint64_t file, uint64_t offset, const void *data,
                   size_t bytes)
{
    const int saved = errno;
    struct trace_head head = {
        .kind = kind, .bytes = (uint32_t)bytes, .file = file, .offset = offset};
    const struct iovec parts[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)data, bytes}};
    /* The call itself: writev is one of those that are recorded. */
    if (syscall(SYS_writev, recorder.fd, parts, 2) != (long)(sizeof(head) + bytes))
        abort();
    errno = saved;
}

static void begin(void)
{
    const char *path = getenv("BATCHD_POWER_TRACE");
    int fd = path == NULL ? -1
                          : (int)syscall(SYS_openat, AT_FDCWD, path,
                                         O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        abort();
    recorder.fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);
    (void)syscall(SYS_close, fd);
    recorder.pid = getpid();
    record(TRACE_BEGIN, 0, 0, NULL, 0);
}

static enum role role_of(const char *path, bool *ret_database)
{
    const char *state = getenv("BATCHD_POWER_STATE");
    const size_t length = state == NULL ? 0 : strlen(state);
    *ret_database = false;
    if (length == 0 || strncmp(path, state, length) != 0)
        return ROLE_NONE;
    if (path[length] == '\0')
        return ROLE_FOLDER;
    *ret_database = strcmp(path + length, "/batchd.db") == 0;
    return strncmp(path + length, "/batchd.db", 10) == 0 ? ROLE_STORE : ROLE_NONE;
}

static void opened(const char *path, int fd, enum role role, bool is_new)
{
    struct stat found;
    if (!recording(fd) || fstat(fd, &found) < 0)
        return;
    recorder.role[fd] = (char)role;
    recorder.inode[fd] = found.st_ino;
    const char *name = strrchr(path, '/') + 1;
    if (is_new)
        record(TRACE_CREATE, found.st_ino, 0, name, strlen(name));
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = va_arg(more, mode_t); /* undefined without O_CREAT, and then unused */
    va_end(more);
    bool database;
    const enum role role = role_of(path, &database);
    const bool is_new = role == ROLE_STORE && (flags & O_CREAT) != 0 && access(path, F_OK) < 0;
    int fd = REAL(open64)(path, flags, mode);
    if (fd >= 0 && role != ROLE_NONE) {
        if (database && recorder.pid != getpid())
            begin();
        opened(path, fd, role, is_new);
    }
    return fd;
}

int close(int fd)
{
    if (recording(fd) && recorder.role[fd] != ROLE_NONE) {
        if (recorder.role[fd] == ROLE_CONNECTION)
            record(TRACE_CLOSED, (uint64_t)fd, 0, NULL, 0);
        recorder.role[fd] = ROLE_NONE;
    }
    return REAL(close)(fd);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset)
{
    ssize_t wrote = REAL(pwrite64)(fd, data, bytes, offset);
    if (wrote > 0 && recording(fd) && recorder.role[fd] == ROLE_STORE)
        record(TRACE_WRITE, recorder.inode[fd], (uint64_t)offset, data, (size_t)wrote);
    return wrote;
}

int ftruncate64(int fd, off_t size)
{
    int result = REAL(ftruncate64)(fd, size);
    if (result == 0 && recording(fd) && recorder.role[fd] == ROLE_STORE)
        record(TRACE_TRUNCATE, recorder.inode[fd], (uint64_t)size, NULL, 0);
    return result;
}

static void synced(int fd, int result)
{
    if (result != 0 || !recording(fd))
        return;
    if (recorder.role[fd] == ROLE_STORE)
        record(TRACE_SYNC, recorder.inode[fd], 0, NULL, 0);
    else if (recorder.role[fd] == ROLE_FOLDER)
        record(TRACE_FOLDER, 0, 0, NULL, 0);
}

int fsync(int fd)
{
    int result = REAL(fsync)(fd);
    synced(fd, result);
    return result;
}

int fdatasync(int fd)
{
    int result = REAL(fdatasync)(fd);
    synced(fd, result);
    return result;
}

int unlink(const char *path)
{
    bool database;
    int result = REAL(unlink)(path);
    if (result == 0 && recording(0) && role_of(path, &database) == ROLE_STORE) {
        const char *name = strrchr(path, '/') + 1;
        record(TRACE_UNLINK, 0, 0, name, strlen(name));
    }
    return result;
}

/* libevent's only way out: replies, events, and what workers are told. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t wrote = REAL(writev)(fd, parts, count);
    if (wrote <= 0 || !recording(fd))
        return wrote;
    recorder.role[fd] = ROLE_CONNECTION;
    size_t left = (size_t)wrote;
    for (int i = 0; i < count && left > 0; i++) {
        size_t bytes = parts[i].iov_len < left ? parts[i].iov_len : left;
        record(TRACE_SEND, (uint64_t)fd, 0, parts[i].iov_base, bytes);
        left -= bytes;
    }
    return wrote;
}
