#include "daemon/state_folder.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "daemon/store/check.h"
#include "daemon/store/store_file.h"

#include <fcntl.h>
#include <unistd.h>

int state_folder_lock(const struct places *places, int *ret_fd, struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/batchd.lock", places->state_dir);
    if (fd_lock_file(AT_FDCWD, path, ret_fd, err) == 0)
        return 0;
    if (err->code == ERROR_BUSY)
        return error_set(err, ERROR_BUSY, "another batchd owns %s", places->state_dir);
    return -1;
}

struct db *state_folder_open_store(const struct config *config, const struct places *places,
                                   struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/batchd.db", places->state_dir);
    const struct db_options options = {.cache_bytes = config->store_cache_bytes,
                                       .wal_limit_bytes = config->store_wal_limit_bytes};
    return db_open(path, &options, err);
}

/* Opening it would make one. */
static int find_store(const char *path, struct error *err)
{
    uint32_t stamp;
    if (access(path, F_OK) == 0)
        return 0;
    (void)error_set_errno(err, "%s", path);
    (void)store_file_check(path, &stamp, err); /* that its log is there is worse */
    return -1;
}

int state_folder_check_store(const struct config *config, const struct places *places,
                             struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/batchd.db", places->state_dir);
    if (find_store(path, err) < 0)
        return -1;
    CLEANUP_CLOSE int lock_fd = -1;
    if (state_folder_lock(places, &lock_fd, err) < 0)
        return -1;
    struct db *db = state_folder_open_store(config, places, err);
    const int result = db == NULL ? -1 : store_check(db, err);
    db_close(db);
    return result;
}
