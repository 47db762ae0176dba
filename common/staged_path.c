#include "common/staged_path.h"

#include "common/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* NAME_MAX is 255 bytes; ".batchd-", "_", "-", "-", "." and numbers of 20, 20, 10 and 10 digits
 * take
 * 72. Of a longer name the end is kept. */
#define NAME_BYTES_MAX 180U

bool staged_path_possible(const char *path)
{
    const char *name = basename(path);
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

char *staged_path(const char *path, const struct attempt_id *id, unsigned number)
{
    const char *name = basename(path);
    size_t bytes = strlen(name);
    char index[24] = "";
    if (id->is_task)
        (void)snprintf(index, sizeof(index), "_%" PRIu64, id->index);
    return xasprintf("%.*s.batchd-%" PRIu64 "%s-%" PRIu32 "-%u.%s", (int)(name - path), path,
                     id->job, index, id->attempt, number,
                     bytes > NAME_BYTES_MAX ? name + (bytes - NAME_BYTES_MAX) : name);
}
