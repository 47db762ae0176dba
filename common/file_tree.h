/* A file, or a folder with all that is in it, as one thing: copied, summed, synced, removed.
 * Folders, regular files and symbolic links (as links) can be in it; anything else is refused.
 *
 * The sum is SHA-256 over the entries in the order of their names: kind, mode, path below the root
 * and the digest of the content. Times and owners are not in it.
 *
 * Everything is done with the rights of the process and by path: for processes of the user whose
 * files they are, never for a privileged one. */
#ifndef BATCHD_COMMON_FILE_TREE_H
#define BATCHD_COMMON_FILE_TREE_H

#include "common/error.h"

#include <stdint.h>

struct file_tree_sum {
    uint64_t bytes; /* of the files */
    char sha256[65];
};

/* Copies `from` to the new name `to`, and syncs every file and folder of the copy, not the folder
 * it lies in. What was made of it when it fails is the caller's to remove. */
int file_tree_copy(const char *from, const char *to, struct error *err);
int file_tree_sum(const char *path, struct file_tree_sum *ret, struct error *err);
int file_tree_sync(const char *path, struct error *err);
/* One that is not there is removed already. */
int file_tree_remove(const char *path, struct error *err);

/* fsync of a file or folder by its path. 0 or -1 with errno. */
int file_sync(const char *path);

#endif
