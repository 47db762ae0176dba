#include "common/process_stat.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 24 numbers and a name of at most 64 bytes; the fields behind them are not needed. */
#define LINE_BYTES 1024U

/* proc_pid_stat(5) numbers the fields from 1; the second is the name, the third the state. */
enum field {
    FIELD_PARENT = 4,
    FIELD_USER = 14,
    FIELD_SYSTEM = 15,
    FIELD_CHILDREN_USER = 16,
    FIELD_CHILDREN_SYSTEM = 17,
    FIELD_THREADS = 20,
    FIELD_BORN = 22,
    FIELD_RESIDENT = 24,
    FIELD_COUNT
};

int process_stat_parse(const char *text, struct process_stat *ret)
{
    uint64_t field[FIELD_COUNT];
    const uint64_t tick_us = (uint64_t)(US_PER_SECOND / sysconf(_SC_CLK_TCK));
    const char *at = strrchr(text, ')'); /* the name may hold anything, so the last one counts */
    if (at == NULL || at[1] != ' ' || at[2] == '\0')
        return -1;
    const char state = at[2];
    at += 3;
    for (int i = FIELD_PARENT; i < FIELD_COUNT; i++) {
        char *end;
        field[i] = strtoull(at, &end, 10);
        if (end == at)
            return -1;
        at = end;
    }
    *ret = (struct process_stat){
        .is_zombie = state == 'Z',
        .parent = (pid_t)field[FIELD_PARENT],
        .user_us = (field[FIELD_USER] + field[FIELD_CHILDREN_USER]) * tick_us,
        .system_us = (field[FIELD_SYSTEM] + field[FIELD_CHILDREN_SYSTEM]) * tick_us,
        .threads = field[FIELD_THREADS],
        .born = field[FIELD_BORN],
        .memory_bytes = field[FIELD_RESIDENT] * (uint64_t)sysconf(_SC_PAGESIZE)};
    return 0;
}

int process_stat_read(pid_t pid, struct process_stat *ret)
{
    char path[32], line[LINE_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t bytes = fd < 0 ? -1 : fd_read_at(fd, line, sizeof(line) - 1, 0);
    if (bytes < 0)
        return -1;
    line[bytes] = '\0';
    return process_stat_parse(line, ret);
}
