#include "worker/notify.h"

#include "common/cleanup.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void notify_ready(void)
{
    static const char text[] = "READY=1";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path == NULL ? 0 : strlen(path);
    if (length > 0 && length < sizeof(address.sun_path)) {
        CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        memcpy(address.sun_path, path, length);
        if (path[0] == '@') /* the abstract name space */
            address.sun_path[0] = '\0';
        ssize_t ignored = sendto(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT,
                                 (const struct sockaddr *)&address,
                                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
        (void)ignored;
    }
    (void)unsetenv("NOTIFY_SOCKET");
}
