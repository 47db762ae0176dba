#include "worker/tree_usage.h"

#include "common/process_stat.h"
#include "worker/tree.h"

static void add(void *arg, pid_t pid)
{
    struct tree_usage *sum = arg;
    struct process_stat stat;
    if (process_stat_read(pid, &stat) < 0)
        return;
    sum->processes++;
    sum->cpu_us += stat.user_us + stat.system_us;
    sum->memory_bytes += stat.memory_bytes;
}

void tree_usage_take(struct tree_usage *ret)
{
    *ret = (struct tree_usage){0};
    tree_each(add, ret);
}
