#include "gpu/process.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/process_stat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Deeper trees are not followed: a parent may change while one climbs, and then it might not end.
 */
#define CLIMB_MAX 64U
#define FILE_BYTES_MAX 65536U
/* The worker's log (worker/worker.h, WORKER_FD_LOG). */
#define LOG_FD 4

static char *read_proc(const struct look *look, uint64_t pid, const char *name, size_t *ret_bytes)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/proc/%llu/%s", look->root, (unsigned long long)pid, name);
    return fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, ret_bytes);
}

/* 0: none. */
static uint64_t parent_of(const struct look *look, uint64_t pid)
{
    struct process_stat stat;
    CLEANUP_FREE char *text = read_proc(look, pid, "stat", NULL);
    return text == NULL || process_stat_parse(text, &stat) < 0 ? 0 : (uint64_t)stat.parent;
}

/* Another batchd of the machine has workers with the same numbers. Who may not look into it
 * believes it: the system's batchd is the only one whose jobs are other users'. */
static bool is_ours(const struct look *look, uint64_t pid)
{
    char target[4096];
    if (look->state == NULL)
        return true;
    CLEANUP_FREE char *path =
        xasprintf("%s/proc/%llu/fd/%d", look->root, (unsigned long long)pid, LOG_FD);
    const ssize_t bytes = readlink(path, target, sizeof(target));
    const size_t length = strlen(look->state);
    return bytes < 0 || ((size_t)bytes > length && strncmp(target, look->state, length) == 0 &&
                         target[length] == '/');
}

static const char *after(const char *text, const char *begin)
{
    const char *found = strstr(text, begin);
    return found == NULL ? NULL : found + strlen(begin);
}

/* Of the group that the kernel tells, "0::/PATH" of cgroup v2: batchd's workers have one each, in
 * the service's batchd-jobs.service (or its batchd-worker.service), or below a person's own, where
 * the state folder has one (worker/cgroup.c). What is in a person's folder is no service's. */
static bool is_in_group(const struct look *look, const char *path, uint64_t *ret_number)
{
    struct stat state;
    char number[24];
    CLEANUP_FREE char *own = NULL;
    const char *const units[] = {"/batchd-jobs.service/worker-", "/batchd-worker.service/worker-"};
    const char *found = NULL;
    if (look->state == NULL) {
        for (size_t i = 0; i < 2 && found == NULL && strstr(path, "/user@") == NULL; i++)
            found = after(path, units[i]);
    } else if (stat(look->state, &state) == 0) {
        own = xasprintf("/user@%u.service/app.slice/batchd-jobs.service/state-%llx-%llx/worker-",
                        geteuid(), (unsigned long long)state.st_dev,
                        (unsigned long long)state.st_ino);
        found = after(path, own);
    }
    if (found == NULL)
        return false;
    (void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(found, "/"), found);
    return parse_u64(number, 1, INT64_MAX, ret_number, NULL) == 0;
}

static bool has_group(const struct look *look, uint64_t pid, uint64_t *ret_number)
{
    static const char begin[] = "0::/";
    size_t bytes = 0;
    CLEANUP_FREE char *text = read_proc(look, pid, "cgroup", &bytes);
    char *line = text;
    while (line != NULL && strncmp(line, begin, strlen(begin)) != 0) {
        line = strchr(line, '\n');
        line += line != NULL;
    }
    if (line == NULL)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return is_in_group(look, line + strlen(begin) - 1, ret_number);
}

/* Others' words may say anything, and to read them may wait for them: they can be of a file that
 * the process itself serves. The system's workers are root's. */
static bool has_trusted_words(const struct look *look, uint64_t pid)
{
    struct stat owner;
    CLEANUP_FREE char *path = xasprintf("%s/proc/%llu/stat", look->root, (unsigned long long)pid);
    return stat(path, &owner) == 0 &&
           (owner.st_uid == geteuid() || (look->state == NULL && owner.st_uid == 0));
}

/* Its words: "batchd-worker", "--worker", NUMBER. */
static bool is_worker(const struct look *look, uint64_t pid, uint64_t *ret_number)
{
    static const char begin[] = "batchd-worker\0--worker";
    size_t bytes = 0;
    if (!has_trusted_words(look, pid))
        return false;
    CLEANUP_FREE char *words = read_proc(look, pid, "cmdline", &bytes);
    return words != NULL && bytes > sizeof(begin) && memcmp(words, begin, sizeof(begin)) == 0 &&
           parse_u64(words + sizeof(begin), 1, INT64_MAX, ret_number, NULL) == 0 &&
           is_ours(look, pid);
}

/* The worker's number, or GPU_UNKNOWN: it has none, or is not of our pid namespace. Where there are
 * no groups, it is a process above. */
static uint64_t worker_of(const struct look *look, uint64_t pid)
{
    uint64_t number = 0;
    if (has_group(look, pid, &number))
        return number;
    for (unsigned i = 0; i < CLIMB_MAX && pid > 1; i++) {
        if (is_worker(look, pid, &number))
            return number;
        pid = parent_of(look, pid);
    }
    return GPU_UNKNOWN;
}

static void take_larger(uint64_t *known, uint64_t other)
{
    if (gpu_known(other) && (!gpu_known(*known) || other > *known))
        *known = other;
}

void process_add(const struct look *look, struct gpu_facts *gpu, uint64_t pid,
                 const struct process_load *load)
{
    for (uint32_t i = 0; i < gpu->listed; i++) {
        if (gpu->process[i].pid == pid) {
            take_larger(&gpu->process[i].memory_bytes, load->memory_bytes);
            return;
        }
    }
    gpu->process_count++;
    if (gpu->listed == GPU_REPORT_PROCESSES)
        return;
    struct gpu_process *process = &gpu->process[gpu->listed++];
    *process = (struct gpu_process){.pid = pid,
                                    .worker = worker_of(look, pid),
                                    .memory_bytes = load->memory_bytes,
                                    .busy_percent = load->busy_percent};
    CLEANUP_FREE char *path = xasprintf("/proc/%llu/comm", (unsigned long long)pid);
    if (look_line(look, path, process->name, sizeof(process->name)) < 0)
        process->name[0] = '\0';
}
