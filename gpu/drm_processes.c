#include "gpu/drm_processes.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/parse.h"
#include "gpu/drm_load.h"
#include "gpu/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* To look into all processes costs about 4 us for each of their descriptors: so once in five looks,
 * and in between into those that had a GPU. */
#define LOOKS_OF_KNOWN 5U
#define PIDS_MAX 65536U
#define FDS_MAX 4096U /* of one process */
#define CLIENTS_OF_ONE 64U
#define GPU_FDS_OF_ONE 256 /* so that those that are known can be looked into at each look */
/* Of a look; the next one goes on there. One of a GPU costs as much as some others. */
#define FDS_OF_A_LOOK 50000
#define FDS_OF_A_CLIENT 8
#define FDINFO_BYTES_MAX 16384U
#define DEVICES "/dev/dri/"

struct drm_processes {
    struct drm_look before, now;
    unsigned looks;
    uint64_t after; /* a look into all ended at this pid; 0: at the last */
    long left;      /* descriptors that this look may still see */
    bool whole;     /* the last time that all were looked into, nothing was left out */
    bool round;     /* so far this time */
};

struct drm_processes *drm_processes_new(void)
{
    struct drm_processes *processes = xcalloc(1, sizeof(*processes));
    processes->before.seen = xcalloc(DRM_CLIENTS, sizeof(*processes->before.seen));
    processes->now.seen = xcalloc(DRM_CLIENTS, sizeof(*processes->now.seen));
    return processes;
}

void drm_processes_free(struct drm_processes *processes)
{
    if (processes == NULL)
        return;
    free(processes->before.seen);
    free(processes->now.seen);
    free(processes);
}

/* ---- which there are ---- */

/* One client is counted once, at the first process that has it: others have it from that one.
 * False: there is no room, in all or for one process. */
static bool add_client(struct drm_look *now, const struct drm_client *client, uint64_t pid)
{
    size_t of_one = 0;
    for (size_t i = 0; i < now->count; i++) {
        if (now->seen[i].client.id == client->id &&
            strcmp(now->seen[i].client.pci, client->pci) == 0)
            return true;
        of_one += now->seen[i].pid == pid;
    }
    if (now->count == DRM_CLIENTS || of_one == CLIENTS_OF_ONE)
        return false;
    now->seen[now->count++] =
        (struct drm_seen){.client = *client, .pid = pid, .at_us = clock_running_us()};
    return true;
}

/* Only what the kernel itself says is read: the descriptor is of a GPU's device, "/dev/dri/NAME".
 */
static bool is_of_gpu(int process, const char *name, char *ret_device, size_t bytes)
{
    char target[64];
    CLEANUP_FREE char *link = xasprintf("fd/%s", name);
    const ssize_t length = readlinkat(process, link, target, sizeof(target) - 1);
    target[length < 0 ? 0 : length] = '\0';
    if (strncmp(target, DEVICES, sizeof(DEVICES) - 1) != 0)
        return false;
    (void)snprintf(ret_device, bytes, "%s", target + sizeof(DEVICES) - 1);
    return true;
}

/* To read what a driver tells of a client may wake the card (xe). */
static bool sleeps(const struct look *look, const char *device)
{
    char state[16];
    CLEANUP_FREE char *path = xasprintf("/sys/class/drm/%s/device/power/runtime_status", device);
    return look_line(look, path, state, sizeof(state)) == 0 && strcmp(state, "suspended") == 0;
}

/* False: there is no room for it. */
static bool take_client(struct drm_look *now, int process, const char *name, uint64_t pid)
{
    struct drm_client client;
    size_t bytes = 0;
    CLEANUP_FREE char *path = xasprintf("fdinfo/%s", name);
    CLEANUP_FREE char *text = fd_read_file(process, path, FDINFO_BYTES_MAX, &bytes);
    return text == NULL || !drm_client_parse(text, &client) || add_client(now, &client, pid);
}

/* NULL: it cannot be read. */
static DIR *open_folder(int at, const char *path)
{
    CLEANUP_CLOSE int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder != NULL)
        (void)TAKE_FD(fd);
    return folder;
}

/* False: there is too much, or a card sleeps. */
static bool look_into_folder(struct drm_processes *processes, const struct look *look, int process,
                             DIR *folder, uint64_t pid)
{
    char device[64];
    bool whole = true;
    unsigned of_gpus = 0;
    for (unsigned i = 0; i < FDS_MAX && of_gpus < GPU_FDS_OF_ONE; i++) {
        const struct dirent *entry =
            readdir(folder); /* NOLINT(concurrency-mt-unsafe): one thread */
        if (entry == NULL)
            return whole;
        processes->left--;
        if (entry->d_name[0] == '.' || !is_of_gpu(process, entry->d_name, device, sizeof(device)))
            continue;
        of_gpus++;
        processes->left -= FDS_OF_A_CLIENT;
        if (sleeps(look, device))
            whole = false;
        else if (!take_client(&processes->now, process, entry->d_name, pid))
            return false;
    }
    return false;
}

enum found { FOUND_ALL, FOUND_PART, FOUND_GONE };

/* A part: it may not be looked into, or there is too much. */
static enum found look_into(struct drm_processes *processes, const struct look *look, uint64_t pid)
{
    CLEANUP_FREE char *path = xasprintf("%s/proc/%llu", look->root, (unsigned long long)pid);
    CLEANUP_CLOSE int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0)
        return FOUND_GONE;
    DIR *folder = open_folder(process, "fd");
    if (folder == NULL)
        return errno == EACCES || errno == EPERM ? FOUND_PART : FOUND_GONE;
    const bool whole = look_into_folder(processes, look, process, folder, pid);
    (void)closedir(folder);
    return whole ? FOUND_ALL : FOUND_PART;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t one = *(const uint64_t *)a;
    const uint64_t other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

/* Owned by the caller, lowest first: parents, as a rule, before their children. */
static uint64_t *list_all(const struct look *look, size_t *ret_count)
{
    const struct dirent *entry;
    size_t count = 0;
    CLEANUP_FREE char *path = xasprintf("%s/proc", look->root);
    uint64_t *pids = xcalloc(PIDS_MAX, sizeof(*pids));
    DIR *folder = open_folder(AT_FDCWD, path);
    while (folder != NULL && count < PIDS_MAX) {
        entry = readdir(folder); /* NOLINT(concurrency-mt-unsafe): one thread */
        if (entry == NULL)
            break;
        count += parse_u64(entry->d_name, 1, INT64_MAX, &pids[count], NULL) == 0;
    }
    if (folder != NULL)
        (void)closedir(folder);
    qsort(pids, count, sizeof(*pids), by_number);
    *ret_count = count;
    return pids;
}

static void look_into_all(struct drm_processes *processes, const struct look *look)
{
    size_t count;
    CLEANUP_FREE uint64_t *pids = list_all(look, &count);
    processes->left = FDS_OF_A_LOOK;
    if (processes->after == 0)
        processes->round = count > 0;
    for (size_t i = 0; i < count; i++) {
        if (pids[i] <= processes->after)
            continue;
        if (processes->left <= 0)
            return;
        processes->round &= look_into(processes, look, pids[i]) != FOUND_PART;
        processes->after = pids[i];
    }
    processes->after = 0;
    processes->whole = processes->round;
}

/* False: one has ended. What it shared with another is that one's now. */
static bool look_into_known(struct drm_processes *processes, const struct look *look)
{
    const struct drm_look *before = &processes->before;
    bool all = true;
    processes->left = FDS_OF_A_LOOK;
    for (size_t i = 0; i < before->count && processes->left > 0; i++) {
        if (i == 0 || before->seen[i].pid != before->seen[i - 1].pid)
            all &= look_into(processes, look, before->seen[i].pid) != FOUND_GONE;
    }
    return all;
}

/* Those that are known are looked into at each look. */
static void look_into_processes(struct drm_processes *processes, const struct look *look)
{
    const bool goes_on = processes->after > 0;
    const bool is_due = processes->looks++ % LOOKS_OF_KNOWN == 0;
    const bool has_gone = (goes_on || !is_due) && !look_into_known(processes, look);
    if (goes_on || is_due || has_gone)
        look_into_all(processes, look);
    if (processes->after > 0 && !goes_on && is_due)
        (void)look_into_known(processes, look);
}

/* ---- what they have ---- */

/* Of the process of the client at i, if that is its first of the GPU. */
static void add_process(const struct drm_processes *processes, const struct look *look,
                        struct gpu_facts *gpu, size_t i)
{
    const struct drm_look *now = &processes->now;
    const uint64_t pid = now->seen[i].pid;
    struct process_load load = {.memory_bytes = GPU_UNKNOWN};
    for (size_t j = 0; j < now->count; j++) {
        const struct drm_seen *seen = &now->seen[j];
        if (seen->pid != pid || strcmp(seen->client.pci, gpu->pci) != 0)
            continue;
        if (j < i)
            return;
        if (gpu_known(seen->client.memory_bytes))
            load.memory_bytes =
                (gpu_known(load.memory_bytes) ? load.memory_bytes : 0) + seen->client.memory_bytes;
    }
    load.busy_percent = drm_load(&processes->before, now, gpu->pci, pid);
    process_add(look, gpu, pid, &load);
}

static uint64_t memory_of_all(const struct drm_look *now, const char *pci)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < now->count; i++) {
        if (strcmp(now->seen[i].client.pci, pci) == 0 &&
            gpu_known(now->seen[i].client.memory_bytes))
            sum += now->seen[i].client.memory_bytes;
    }
    return sum;
}

static void look_at_gpu(const struct drm_processes *processes, const struct look *look,
                        struct gpu_facts *gpu)
{
    gpu->processes_partial = true;
    gpu->process_count = 0;
    for (size_t i = 0; i < processes->now.count; i++) {
        if (strcmp(processes->now.seen[i].client.pci, gpu->pci) == 0)
            add_process(processes, look, gpu, i);
    }
    if (gpu->process_count == 0 && !processes->whole) {
        gpu->process_count = GPU_UNKNOWN;
        return;
    }
    const uint64_t used = memory_of_all(&processes->now, gpu->pci);
    if (!gpu_known(gpu->memory_used_bytes) && gpu_known(gpu->memory_total_bytes))
        gpu->memory_used_bytes = used < gpu->memory_total_bytes ? used : gpu->memory_total_bytes;
    if (!gpu_known(gpu->busy_percent))
        gpu->busy_percent = drm_load(&processes->before, &processes->now, gpu->pci, GPU_UNKNOWN);
}

void drm_processes_look(struct drm_processes *processes, const struct look *look,
                        struct gpu_report *report, uint32_t first)
{
    const struct drm_look was = processes->before;
    if (first >= report->count)
        return; /* nobody looks where there is no such GPU */
    processes->before = processes->now;
    processes->now = (struct drm_look){.seen = was.seen};
    look_into_processes(processes, look);
    for (uint32_t i = first; i < report->count; i++) {
        if (report->gpu[i].pci[0] != '\0')
            look_at_gpu(processes, look, &report->gpu[i]);
    }
}
