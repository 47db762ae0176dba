#include "worker/tree.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

/* proc_pid_children(5): pids separated by blanks. A page or two; a fork bomb has more, and is read
 * again in the next round. */
#define LIST_BYTES 16384

void tree_each_child(tree_child_fn each, void *arg)
{
    char list[LIST_BYTES];
    CLEANUP_CLOSE int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
    if (bytes <= 0)
        return;
    list[bytes] = '\0';
    char *at = list;
    for (;;) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at || (*end != ' ' && *end != '\0'))
            return;
        if (*end == ' ' && pid > 1) /* a last number without a blank may be cut off */
            each(arg, (pid_t)pid);
        at = end;
    }
}

static void send_signal(void *arg, pid_t pid)
{
    const int *number = arg;
    (void)kill(pid, *number);
}

void tree_signal_children(int number)
{
    tree_each_child(send_signal, &number);
}

bool tree_sweep(void)
{
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);
        if (pid < 0)
            return errno == ECHILD;
        if (pid == 0)
            break;
    }
    tree_signal_children(SIGKILL);
    return false;
}
