#include "daemon/resources/disk_weights.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX 4096U
#define SCHEDULER_BYTES 32U

/* Of what lies below the disk's folder. Owned; NULL: it is not there. */
static char *read_of(const char *folder, const char *disk, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s/%s", folder, disk, name);
    return fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, NULL);
}

/* "mq-deadline kyber [bfq] none"; one alone stands without brackets. */
static void scheduler_of(const char *words, char ret[static SCHEDULER_BYTES])
{
    const char *open = strchr(words, '[');
    const char *name = open == NULL ? words : open + 1;
    (void)snprintf(ret, SCHEDULER_BYTES, "%.*s", (int)strcspn(name, "] \n"), name);
}

/* A line of its own for each disk that it was ever set for. */
static bool has_iocost(const char *qos, const char *number)
{
    const size_t length = strcspn(number, "\n");
    for (const char *line = qos; line != NULL && *line != '\0';) {
        if (strncmp(line, number, length) == 0 && strncmp(line + length, " enable=1", 9) == 0)
            return true;
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return false;
}

/* " " and more behind what stands there; what is too long is cut. */
static void add(char *list, size_t bytes, const char *word, const char *scheduler)
{
    const size_t used = strlen(list);
    const char *blank = used == 0 ? "" : " ";
    if (scheduler == NULL)
        (void)snprintf(list + used, bytes - used, "%s%s", blank, word);
    else
        (void)snprintf(list + used, bytes - used, "%s%s (%s)", blank, word, scheduler);
}

static bool begins_with(const char *text, const char *with)
{
    return text != NULL && strncmp(text, with, strlen(with)) == 0;
}

static void look_at(const char *folder, const char *disk, const char *qos, struct disk_weights *ret)
{
    char scheduler[SCHEDULER_BYTES];
    CLEANUP_FREE char *device = xasprintf("%s/%s/device", folder, disk);
    CLEANUP_FREE char *number = read_of(folder, disk, "dev");
    CLEANUP_FREE char *words = read_of(folder, disk, "queue/scheduler");
    CLEANUP_FREE char *size = read_of(folder, disk, "size"); /* 0: a drive without a medium */
    CLEANUP_FREE char *removable = read_of(folder, disk, "removable");
    if (number == NULL || words == NULL || access(device, F_OK) < 0 || begins_with(size, "0\n") ||
        begins_with(removable, "1"))
        return;
    scheduler_of(words, scheduler);
    if (strcmp(scheduler, "bfq") == 0 || has_iocost(qos, number)) {
        add(ret->heed, sizeof(ret->heed), disk, NULL);
        return;
    }
    add(ret->heedless, sizeof(ret->heedless), disk, scheduler);
    if (ret->first[0] == '\0')
        (void)snprintf(ret->first, sizeof(ret->first), "%.31s", disk);
}

void disk_weights_take(const char *root, struct disk_weights *ret)
{
    struct dirent **disks = NULL; /* by name, so that it is told the same each time */
    CLEANUP_FREE char *folder = xasprintf("%s/sys/block", root);
    CLEANUP_FREE char *path = xasprintf("%s/sys/fs/cgroup/io.cost.qos", root);
    CLEANUP_FREE char *qos = fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, NULL);
    const int count = scandir(folder, &disks, NULL, alphasort);
    *ret = (struct disk_weights){.heed = ""};
    for (int i = 0; i < count; i++) {
        if (disks[i]->d_name[0] != '.')
            look_at(folder, disks[i]->d_name, qos, ret);
        free(disks[i]);
    }
    free(disks);
}
