#include "worker/user_folder.h"

#include "common/cleanup.h"
#include "common/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int user_folders_open(void)
{
    static const char name[] = "checkpoints";
    struct stat found;
    if (mkdir(name, 0711) < 0 && errno != EEXIST)
        return -1;
    CLEANUP_CLOSE int fd = open(name, FOLDER_FLAGS);
    if (fd < 0 || fstat(fd, &found) < 0)
        return -1;
    if (found.st_uid != geteuid()) {
        errno = EPERM;
        return -1;
    }
    return fchmod(fd, 0711) < 0 ? -1 : TAKE_FD(fd); /* whatever our umask is */
}

static bool is_there(int folders_fd, const char *name)
{
    struct stat found;
    return fstatat(folders_fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0;
}

/* It appears with its owner, so that one that is there is right. Another worker may do the same. */
int user_folder_make(int folders_fd, uid_t uid, gid_t gid)
{
    char name[16], new[20];
    (void)snprintf(name, sizeof(name), "%u", uid);
    (void)snprintf(new, sizeof(new), ".%u", uid);
    if (is_there(folders_fd, name))
        return 0;
    if (mkdirat(folders_fd, new, 0700) < 0 && errno != EEXIST)
        return -1;
    if (fchownat(folders_fd, new, uid, gid, AT_SYMLINK_NOFOLLOW) == 0 &&
        renameat2(folders_fd, new, folders_fd, name, RENAME_NOREPLACE) == 0)
        return 0;
    return is_there(folders_fd, name) ? 0 : -1;
}

int user_folders_each(int folders_fd, user_folder_fn each, void *arg)
{
    const struct dirent *entry;
    uint64_t uid;
    int again = openat(folders_fd, ".", FOLDER_FLAGS);
    DIR *folders = again < 0 ? NULL : fdopendir(again);
    int result = folders == NULL ? -1 : 0;
    if (folders == NULL)
        cleanup_close(&again);
    while (result == 0 && (entry = readdir(folders)) != NULL) {
        if (parse_u64(entry->d_name, 1, UINT32_MAX - 1, &uid, NULL) < 0)
            continue;
        CLEANUP_CLOSE int fd = openat(folders_fd, entry->d_name, FOLDER_FLAGS);
        result = fd < 0 ? -1 : each(arg, fd, (uid_t)uid);
    }
    if (folders != NULL)
        (void)closedir(folders);
    return result;
}
