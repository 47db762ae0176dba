#include "worker/tree_usage.h"

#include "common/clock.h"
#include "worker/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STAT_BYTES 1024U
/* Of proc_pid_stat(5), where the name is the second field and the state the third. */
#define FIELD_STATE 3
#define FIELD_UTIME 14
#define FIELD_CSTIME 17
#define FIELD_RSS 24

/* utime, stime, cutime, cstime in ticks, and rss in pages. */
static void add_line(const char *line, struct tree_usage *ret)
{
    const uint64_t tick_us = (uint64_t)(US_PER_SECOND / sysconf(_SC_CLK_TCK));
    const char *at = strrchr(line, ')');
    if (at == NULL || at[1] != ' ')
        return;
    at += 2;
    ret->processes++;
    for (int field = FIELD_STATE; at != NULL && field <= FIELD_RSS; field++) {
        if (field >= FIELD_UTIME && field <= FIELD_CSTIME)
            ret->cpu_us += strtoull(at, NULL, 10) * tick_us;
        if (field == FIELD_RSS)
            ret->memory_bytes += strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
}

static void add(void *arg, pid_t pid)
{
    char path[32], line[STAT_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t bytes = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);
    if (fd >= 0)
        (void)close(fd);
    if (bytes <= 0)
        return;
    line[bytes] = '\0';
    add_line(line, arg);
}

void tree_usage_take(struct tree_usage *ret)
{
    *ret = (struct tree_usage){0};
    tree_each(add, ret);
}
