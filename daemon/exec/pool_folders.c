/* The folders of workers and jobs that are to be removed. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/worker_folder.h"
#include "daemon/exec/pool.h"
#include "daemon/exec/pool_workers.h"
#include "daemon/exec/spawner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int open_workers(const struct pool *pool)
{
    CLEANUP_FREE char *path = xasprintf("%s/workers", pool->options.state_dir);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void pool_remove_folder(struct pool *pool, uint64_t id)
{
    if (pool_spawner_is_root(pool)) {
        spawner_remove(pool->spawner, id);
        return;
    }
    CLEANUP_CLOSE int workers = open_workers(pool);
    if (workers >= 0 && worker_folder_remove(workers, id) < 0)
        log_warning("the folder of worker %llu is not removed: %s", (unsigned long long)id,
                    strerrordesc_np(errno));
}

void pool_remove_unknown(struct pool *pool)
{
    int fd = open_workers(pool);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *end;
        unsigned long long id = strtoull(entry->d_name, &end, 10);
        if (*end == '\0' && id > 0 && pool_find(pool, id) == NULL)
            pool_remove_folder(pool, id);
    }
    if (folder != NULL)
        (void)closedir(folder);
    else
        cleanup_close(&fd);
}

void pool_remove_jobs(struct pool *pool, const struct job_folders *folders)
{
    pool->folders = *folders;
    spawner_remove_jobs(pool->spawner, folders);
}
