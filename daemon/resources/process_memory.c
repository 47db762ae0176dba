#include "daemon/resources/process_memory.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Children of one thread: 8 bytes each. */
#define FILE_BYTES_MAX (1U << 20)

/* Processes that are to be looked at. */
struct walk {
    const char *root;
    uint32_t looks; /* that are left */
    uint32_t *pids; /* owned */
    size_t count, room;
};

/* Owned by the caller; NULL: it cannot be read, or nothing more is to be looked at. */
static char *look(struct walk *walk, const char *path)
{
    size_t bytes = 0;
    if (walk->looks == 0)
        return NULL;
    walk->looks--;
    return fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &bytes);
}

static void add(struct walk *walk, uint32_t pid)
{
    if (walk->count == walk->room) {
        walk->room = walk->room == 0 ? 16 : 2 * walk->room;
        walk->pids = xreallocarray(walk->pids, walk->room, sizeof(*walk->pids));
    }
    walk->pids[walk->count++] = pid;
}

/* "12 34 ". */
static void add_children_of_thread(struct walk *walk, uint32_t pid, const char *thread)
{
    CLEANUP_FREE char *path = xasprintf("%s/proc/%u/task/%s/children", walk->root, pid, thread);
    CLEANUP_FREE char *text = look(walk, path);
    char *end;
    for (const char *at = text; at != NULL; at = end) {
        const unsigned long child = strtoul(at, &end, 10);
        if (end == at || child == 0 || child > UINT32_MAX)
            return;
        add(walk, (uint32_t)child);
    }
}

/* Each thread has the children that it made. */
static void add_children(struct walk *walk, uint32_t pid)
{
    const struct dirent *entry;
    CLEANUP_FREE char *path = xasprintf("%s/proc/%u/task", walk->root, pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    while (walk->looks > 0 && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.')
            add_children_of_thread(walk, pid, entry->d_name);
    }
    (void)closedir(folder);
}

/* "SIZE RESIDENT SHARED ...", in pages. */
static uint64_t own_memory(struct walk *walk, uint32_t pid)
{
    CLEANUP_FREE char *path = xasprintf("%s/proc/%u/statm", walk->root, pid);
    CLEANUP_FREE char *text = look(walk, path);
    const char *blank = text == NULL ? NULL : strchr(text, ' ');
    char *end;
    if (blank == NULL)
        return 0;
    const unsigned long long resident = strtoull(blank, &end, 10);
    const unsigned long long shared = strtoull(end, &end, 10);
    return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

enum memory_seen process_memory_below(const char *root, uint32_t pid, uint32_t *looks,
                                      uint64_t *ret_bytes)
{
    struct walk walk = {.root = root, .looks = *looks};
    CLEANUP_FREE char *task = xasprintf("%s/proc/%u/task", root, pid);
    *ret_bytes = 0;
    if (access(task, R_OK | X_OK) < 0)
        return MEMORY_HIDDEN;
    add_children(&walk, pid);
    while (walk.count > 0 && walk.looks > 0) {
        const uint32_t child = walk.pids[--walk.count];
        *ret_bytes += own_memory(&walk, child);
        add_children(&walk, child);
    }
    free(walk.pids);
    *looks = walk.looks;
    return walk.looks > 0 ? MEMORY_ALL : MEMORY_PART;
}

/* "anon 4096" on a line of its own; 0: there is none. */
static uint64_t line_of(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoull(line + length, NULL, 10);
    }
    return 0;
}

enum memory_seen process_memory_of_group(const char *root, uint64_t worker, uint64_t *ret_bytes)
{
    size_t bytes = 0;
    *ret_bytes = 0;
    CLEANUP_FREE char *own_path = xasprintf("%s/proc/self/cgroup", root);
    CLEANUP_FREE char *own = fd_read_file(AT_FDCWD, own_path, FILE_BYTES_MAX, &bytes);
    if (own == NULL || strncmp(own, "0::/", 4) != 0)
        return MEMORY_HIDDEN;
    own[strcspn(own, "\n")] = '\0';
    *strrchr(own, '/') = '\0'; /* the slice that our unit is in */
    CLEANUP_FREE char *path =
        xasprintf("%s/sys/fs/cgroup%s/batchd-jobs.service/worker-%llu/job/memory.stat", root,
                  own + strlen("0::"), (unsigned long long)worker);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &bytes);
    if (text == NULL)
        return MEMORY_HIDDEN;
    *ret_bytes = line_of(text, "anon") + line_of(text, "shmem");
    return MEMORY_ALL;
}
