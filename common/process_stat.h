/* What the kernel tells of one process in a line: proc_pid_stat(5). */
#ifndef BATCHD_COMMON_PROCESS_STAT_H
#define BATCHD_COMMON_PROCESS_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_stat {
    bool is_zombie; /* its parent has not reaped it; of one with threads the first has ended */
    pid_t parent;
    uint64_t user_us, system_us; /* of it and of those that it has waited for, by clock ticks */
    uint64_t threads;
    uint64_t born;         /* ticks since the boot: with the pid nobody else's */
    uint64_t memory_bytes; /* resident; what several share counts for each */
};

/* 0, or -1: no such process, or one that may not be seen. */
int process_stat_read(pid_t pid, struct process_stat *ret);
/* The same of a text with a NUL behind; -1: it is no such line. */
int process_stat_parse(const char *text, struct process_stat *ret);

#endif
