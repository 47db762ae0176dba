#include "daemon/resources/cpu_topology.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define CPUS "/sys/devices/system/cpu"
#define NODES "/sys/devices/system/node"
#define FILE_BYTES 16384U

/* *ret is what the file lists; false, and it stays as it is: there is no such file. */
static bool read_list(const char *path, struct cpu_list *ret)
{
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES, NULL);
    struct error err;
    return text != NULL && cpu_list_parse(text, ret, &err) == 0;
}

static void find_usable(const char *root, struct cpu_list *ret)
{
    CLEANUP_FREE char *path = xasprintf("%s" CPUS "/online", root);
    struct cpu_list online;
    cpu_set_t allowed;
    *ret = (struct cpu_list){.bits = {0}};
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0) /* more than CPU_LIST_MAX */
        memset(&allowed, 0xff, sizeof(allowed));
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        if (CPU_ISSET(i, &allowed))
            cpu_list_add(ret, i);
    }
    if (read_list(path, &online))
        cpu_list_keep(ret, &online);
}

static void find_core(const char *root, unsigned number, struct cpu_layout *layout)
{
    /* The name of before Linux 5.3, which all since have, too. */
    CLEANUP_FREE char *path =
        xasprintf("%s" CPUS "/cpu%u/topology/thread_siblings_list", root, number);
    struct cpu_list threads;
    if (!read_list(path, &threads))
        return;
    for (unsigned i = 0; i < number; i++) {
        if (cpu_list_has(&threads, i)) {
            layout->core[number] = (uint16_t)i;
            return;
        }
    }
}

static void find_nodes(const char *root, struct cpu_layout *layout)
{
    CLEANUP_FREE char *all = xasprintf("%s" NODES "/online", root);
    struct cpu_list nodes;
    if (!read_list(all, &nodes))
        return;
    for (unsigned node = 0; node < CPU_LIST_MAX; node++) {
        CLEANUP_FREE char *path = xasprintf("%s" NODES "/node%u/cpulist", root, node);
        struct cpu_list cpus;
        if (!cpu_list_has(&nodes, node) || !read_list(path, &cpus))
            continue;
        for (unsigned i = 0; i < CPU_LIST_MAX; i++)
            layout->node[i] = cpu_list_has(&cpus, i) ? (uint16_t)node : layout->node[i];
    }
}

void cpu_topology_read(const char *root, struct cpu_layout *ret)
{
    memset(ret, 0, sizeof(*ret));
    find_usable(root, &ret->usable);
    for (unsigned i = 0; i < CPU_LIST_MAX; i++)
        ret->core[i] = (uint16_t)i;
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        if (cpu_list_has(&ret->usable, i))
            find_core(root, i, ret);
    }
    find_nodes(root, ret);
}

void cpu_topology_keep_usable(const char *root, struct cpu_list *list)
{
    struct cpu_list usable;
    find_usable(root, &usable);
    cpu_list_keep(list, &usable);
}

void cpu_topology_add_near(const char *root, const char *pci, struct cpu_list *list)
{
    CLEANUP_FREE char *path = xasprintf("%s/sys/bus/pci/devices/%s/local_cpulist", root, pci);
    struct cpu_list near;
    if (read_list(path, &near))
        cpu_list_join(list, &near);
}
