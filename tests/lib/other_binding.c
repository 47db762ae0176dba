/* For LD_PRELOAD: workers of before jobs could be bound to processors (OLDER_WORKERS is set), which
 * do not say that they can; and a kernel that has no processor to bind to (BIND_FAILS names a file,
 * while it is there). */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/record.h"
#include "common/worker_protocol.h"

/* It is the first record of what is sent, and a header alone. */
static size_t bytes_of_binds(const void *data, size_t bytes)
{
    uint16_t type = 0;
    if (getenv("OLDER_WORKERS") == NULL || bytes <= RECORD_HEADER_BYTES ||
        memcmp(data, "BATR", 4) != 0)
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

int sched_setaffinity(pid_t pid, size_t bytes, const cpu_set_t *set)
{
    int (*next)(pid_t, size_t, const cpu_set_t *) =
        (int (*)(pid_t, size_t, const cpu_set_t *))dlsym(RTLD_NEXT, "sched_setaffinity");
    const char *file = getenv("BIND_FAILS");
    if (file != NULL && access(file, F_OK) == 0) {
        errno = EINVAL;
        return -1;
    }
    return next(pid, bytes, set);
}
