#include "processors/lib/work_folder.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/request.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As of a staging folder (stage.c): with what stands around it, it is a name that a folder takes.
 */
#define NAME_BYTES_KEPT 200

/* The folder of checkpoints that batchd names; NULL: none. */
static const char *batchds_folder(void)
{
    const char *kept =
        getenv("BATCHD_CHECKPOINT_DIR"); /* NOLINT(concurrency-mt-unsafe): no thread */
    return kept != NULL && kept[0] == '/' ? kept : NULL;
}

/* The target is a folder that is there, in one that is closed to us. */
static bool lies_inside(const char *target, const char *parent)
{
    struct stat info;
    return stat(target, &info) == 0 && S_ISDIR(info.st_mode) && access(parent, W_OK | X_OK) < 0 &&
           (errno == EACCES || errno == EROFS);
}

char *work_folder_path(const struct request *request, const char *target)
{
    const char *kept = batchds_folder();
    const char *name = strrchr(target, '/') + 1;
    const unsigned long long job = request->job;
    if (kept != NULL)
        return xasprintf("%s/work", kept);
    CLEANUP_FREE char *parent = xmemdup(target, (size_t)(name - target));
    return lies_inside(target, parent)
               ? xasprintf("%s/.batchd-%llu.work", target, job)
               : xasprintf("%s.%.*s.batchd-%llu.work", parent, NAME_BYTES_KEPT, name, job);
}

int work_folder_make(const char *path)
{
    CLEANUP_FREE char *outer = xstrdup(path);
    for (char *slash = strchr(outer + 1, '/'); batchds_folder() != NULL && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(outer, 0700); /* that of the last one tells */
        *slash = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}
