#include "common/fd.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Of a socket in a folder, behind "/proc/self/fd/2147483647": 108 in all with the NUL. */
#define NAME_BYTES_MAX ((size_t)80)

int fd_write_all(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t wrote = write(fd, at, bytes);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        at += wrote;
        bytes -= (size_t)wrote;
    }
    return 0;
}

ssize_t fd_read_at(int fd, void *ret, size_t bytes, off_t offset)
{
    size_t used = 0;
    while (used < bytes) {
        ssize_t got = pread(fd, (char *)ret + used, bytes - used, offset + (off_t)used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

char *fd_read_file(int dirfd, const char *path, size_t max, size_t *ret_bytes)
{
    CLEANUP_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t used = 0;
    size_t room = 4096;
    CLEANUP_FREE char *data = xmalloc(room + 1);
    for (;;) {
        if (used == room) {
            room *= 2;
            data = xreallocarray(data, room + 1, 1);
        }
        ssize_t got = read(fd, data + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return NULL;
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > max) {
            errno = EFBIG;
            return NULL;
        }
    }
    data[used] = '\0';
    if (ret_bytes != NULL)
        *ret_bytes = used;
    return TAKE_PTR(data);
}

int fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -1;
    return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/* A path that is too long for an address goes by its folder, which is open at *ret_folder for as
 * long as the address is used. */
static int unix_address(const char *path, struct sockaddr_un *ret, int *ret_folder,
                        struct error *err)
{
    const char *name = strrchr(path, '/');
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof(ret->sun_path)) {
        memcpy(ret->sun_path, path, strlen(path) + 1);
        return 0;
    }
    if (name == NULL || strlen(name) > NAME_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "the name of the socket \"%.200s\" has over %zu bytes",
                         path, NAME_BYTES_MAX);
    CLEANUP_FREE char *folder = xasprintf("%.*s", (int)(name - path + 1), path);
    *ret_folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_folder < 0)
        return error_set_errno(err, "%s", folder);
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d%s", *ret_folder, name);
    return 0;
}

int fd_listen_unix(const char *path, int backlog, int *ret_fd, struct error *err)
{
    struct sockaddr_un address;
    CLEANUP_CLOSE int folder = -1;
    if (unix_address(path, &address, &folder, err) < 0)
        return -1;
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot make a socket");
    if (unlink(path) < 0 && errno != ENOENT)
        return error_set_errno(err, "cannot replace %s", path);
    mode_t saved = umask(0177);
    int result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    (void)umask(saved);
    if (result < 0 || listen(fd, backlog) < 0)
        return error_set_errno(err, "cannot listen on %s", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int fd_connect_unix(const char *path, int *ret_fd, struct error *err)
{
    struct sockaddr_un address;
    CLEANUP_CLOSE int folder = -1;
    if (unix_address(path, &address, &folder, err) < 0) {
        err->code = err->code == ERROR_NOT_FOUND ? ERROR_UNREACHABLE : err->code;
        return -1;
    }
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot make a socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        enum error_code code = errno == EACCES || errno == EPERM ? ERROR_DENIED : ERROR_UNREACHABLE;
        return error_set(err, code, "%s: %s", path, strerrordesc_np(errno));
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int fd_lock_file(int dirfd, const char *path, int *ret_fd, struct error *err)
{
    CLEANUP_CLOSE int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(err, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return error_set(err, ERROR_BUSY, "%s is locked by another process", path);
        return error_set_errno(err, "cannot lock %s", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int fd_lock_held(int dirfd, const char *path)
{
    CLEANUP_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? 1 : -1;
}
