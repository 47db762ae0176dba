/* For LD_PRELOAD: workers of before jobs could be bound to processors, which do not say that they
 * can (OLDER_WORKERS names a file, while it is there); a kernel that has no processor to bind to
 * (BIND_FAILS names one); and a control group that has some (CPUSET names a file that lists them).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/record.h"
#include "common/worker_protocol.h"

static int is_there(const char *variable)
{
    const char *file = getenv(variable);
    return file != NULL && access(file, F_OK) == 0;
}

/* It is the first record of what is sent, and a header alone. */
static size_t bytes_of_binds(const void *data, size_t bytes)
{
    uint16_t type = 0;
    if (!is_there("OLDER_WORKERS") || bytes <= RECORD_HEADER_BYTES || memcmp(data, "BATR", 4) != 0)
        return 0;
    memcpy(&type, (const char *)data + 6, sizeof(type));
    uint32_t payload = 0;
    memcpy(&payload, (const char *)data + 8, sizeof(payload));
    return type == MESSAGE_BINDS ? RECORD_HEADER_BYTES + payload : 0;
}

ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) =
        (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
    const size_t left_out = bytes_of_binds(data, bytes);
    const ssize_t sent = next(fd, (const char *)data + left_out, bytes - left_out, flags);
    return sent < 0 ? sent : sent + (ssize_t)left_out;
}

static int plain_openat(int folder, const char *path, int flags, mode_t mode)
{
    int (*next)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat");
    return next(folder, path, flags, mode);
}

/* Both sides look at files of the kernel as this names them (worker/cgroup.c). */
int openat(int folder, const char *path, int flags, ...)
{
    static const char own[] = "0::/of/tests\n";
    const char *set = getenv("CPUSET");
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (set != NULL && strcmp(path, "/sys/fs/cgroup/of/tests/cpuset.cpus.effective") == 0)
        return plain_openat(folder, set, flags, 0);
    if (set == NULL || strcmp(path, "/proc/self/cgroup") != 0)
        return plain_openat(folder, path, flags, mode);
    const int fd = memfd_create("cgroup", MFD_CLOEXEC);
    return write(fd, own, sizeof(own) - 1) < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -1 : fd;
}

int statfs(const char *path, struct statfs *ret)
{
    int (*next)(const char *, struct statfs *) =
        (int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs");
    const int result = next(path, ret);
    if (getenv("CPUSET") != NULL && strcmp(path, "/sys/fs/cgroup") == 0)
        ret->f_type = CGROUP2_SUPER_MAGIC;
    return result;
}

/* Its list is of two numbers at most: "0", "0,2". */
static int has_any(const char *file, const cpu_set_t *set)
{
    int one = -1, other = -1;
    FILE *in = fopen(file, "r");
    if (in == NULL || fscanf(in, "%d,%d", &one, &other) < 1)
        abort();
    (void)fclose(in);
    return CPU_ISSET(one, set) || (other >= 0 && CPU_ISSET(other, set));
}

int sched_setaffinity(pid_t pid, size_t bytes, const cpu_set_t *set)
{
    int (*next)(pid_t, size_t, const cpu_set_t *) =
        (int (*)(pid_t, size_t, const cpu_set_t *))dlsym(RTLD_NEXT, "sched_setaffinity");
    const char *group = getenv("CPUSET");
    if (is_there("BIND_FAILS") || (group != NULL && !has_any(group, set))) {
        errno = EINVAL;
        return -1;
    }
    return next(pid, bytes, set);
}
