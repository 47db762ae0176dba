/* Small helpers over file descriptors. Every descriptor made here is close-on-exec from birth. */
#ifndef BATCHD_COMMON_FD_H
#define BATCHD_COMMON_FD_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Writes all of it, through EINTR and short writes. 0, or -1 with errno. For files and blocking
 * descriptors only. */
int fd_write_all(int fd, const void *data, size_t bytes);

/* Reads `bytes` from `offset` on, through EINTR and short reads: how many there were before the
 * file ended, or -1 with errno. */
ssize_t fd_read_at(int fd, void *ret, size_t bytes, off_t offset);

/* Reads a whole file of at most `max` bytes, with a NUL behind; the caller frees. NULL with errno,
 * EFBIG when it is longer. */
char *fd_read_file(int dirfd, const char *path, size_t max, size_t *ret_bytes);

/* 0, or -1 with errno. */
int fd_set_nonblock(int fd, bool on);

/* A listening stream socket at `path`, however long it is (mode 0600, in the folder's own
 * protection). A stale socket file is replaced: the caller holds the lock that proves nobody
 * listens. 0 or -1. */
int fd_listen_unix(const char *path, int backlog, int *ret_fd, struct error *err);

/* Connects to a Unix stream socket. ERROR_UNREACHABLE when nobody listens there. */
int fd_connect_unix(const char *path, int *ret_fd, struct error *err);

/* Opens (creates, 0600) `path` and takes an exclusive flock without waiting.
 * 0 and *ret_fd; -1 with ERROR_BUSY when another process holds it. */
int fd_lock_file(int dirfd, const char *path, int *ret_fd, struct error *err);

/* Whether somebody holds the lock: 1 yes, 0 no, -1 with errno (ENOENT: no such file). */
int fd_lock_held(int dirfd, const char *path);

#endif
