#include "worker/process_limits.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of include/uapi/linux/ioprio.h, which Debian 12's headers lack in parts. */
#define IO_WHO_PROCESS 1
#define IO_CLASS_SHIFT 13U
#define IO_CLASS_BEST_EFFORT 2U
#define IO_CLASS_IDLE 3U

/* Never below what our own is: who started batchd nicely has his reasons. */
static void set_nice(unsigned nice)
{
    if (nice > 0 && getpriority(PRIO_PROCESS, 0) < (int)nice)
        (void)setpriority(PRIO_PROCESS, 0, (int)nice);
}

static void set_io_priority(unsigned priority)
{
    unsigned value = IO_CLASS_IDLE << IO_CLASS_SHIFT;
    if (priority == JOB_IO_NONE)
        return;
    if (priority < JOB_IO_IDLE)
        value = IO_CLASS_BEST_EFFORT << IO_CLASS_SHIFT | (priority - JOB_IO_BEST_EFFORT);
    (void)syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, value);
}

/* Soft and hard, so that the job cannot raise it again; no higher than ours, which nobody without
 * rights could. 0: as it is. */
static int bound(__rlimit_resource_t resource, uint64_t value)
{
    struct rlimit limit;
    if (value == 0)
        return 0;
    if (getrlimit(resource, &limit) < 0)
        return -1;
    limit.rlim_cur = limit.rlim_max = value < limit.rlim_max ? value : limit.rlim_max;
    return setrlimit(resource, &limit);
}

int process_limits_set(const struct job_limits *limits, uint64_t memory_bytes)
{
    set_nice(limits->nice);
    set_io_priority(limits->io_priority);
    if (bound(RLIMIT_NOFILE, limits->open_files) < 0 || bound(RLIMIT_FSIZE, limits->file_bytes) < 0)
        return -1;
    return limits->bounds_data != 0 ? bound(RLIMIT_DATA, memory_bytes) : 0;
}

/* One that has been taken from the machine meanwhile is left out by the kernel, as long as there is
 * another. */
int process_limits_bind(const struct cpu_list *cpus)
{
    cpu_set_t set;
    if (cpu_list_is_empty(cpus))
        return 0;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        if (cpu_list_has(cpus, i))
            CPU_SET(i, &set);
    }
    return sched_setaffinity(0, sizeof(set), &set);
}
