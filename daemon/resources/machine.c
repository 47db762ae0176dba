#include "daemon/resources/machine.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest that the kernel takes. */
#define SLICE_NS 100000U

/* systemd-system.conf(5), DefaultTasksMax=. */
#define PIDS_PERCENT 15U

/* sched_setattr(2), the first version; the kernel's header for it and glibc's <sched.h> clash. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

uint32_t machine_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

uint64_t machine_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : 0;
}

static uint64_t read_number(const char *path)
{
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, 256, NULL);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

uint64_t machine_pids_of_a_job(void)
{
    const uint64_t pids = read_number("/proc/sys/kernel/pid_max");
    const uint64_t threads = read_number("/proc/sys/kernel/threads-max");
    return (pids < threads ? pids : threads) * PIDS_PERCENT / 100;
}

/* /proc/PID/statm, proc(5): pages of its size, and of these the resident ones. */
uint64_t machine_resident_bytes(uint32_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%u/statm", pid);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, 256, NULL);
    char *end = text;
    long bytes = sysconf(_SC_PAGESIZE);
    if (text == NULL || bytes <= 0)
        return 0;
    (void)strtoull(text, &end, 10);
    return strtoull(end, &end, 10) * (uint64_t)bytes;
}

void machine_ask_for_short_slices(void)
{
    struct scheduling now = {.size = sizeof(now)};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) < 0 || now.policy != SCHED_OTHER)
        return;
    now.flags |= SCHED_FLAG_RESET_ON_FORK;
    now.runtime = SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &now, 0);
}
