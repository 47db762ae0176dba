/* A file, or a folder and all that is in it, entry by entry: each folder before what is in it, in
 * the order of names, and once more after it. Links are not followed. By path, with the rights of
 * the process. (fts(3) of glibc writes through NULL when there is no memory.) */
#ifndef BATCHD_COMMON_FILE_WALK_H
#define BATCHD_COMMON_FILE_WALK_H

#include <sys/stat.h>

enum walk_kind {
    WALK_FOLDER,
    WALK_FOLDER_END,
    WALK_FILE,
    WALK_LINK,
    WALK_OTHER,
    WALK_UNREADABLE, /* a folder that was met before, instead of what is in it and its end */
    WALK_FAILED      /* nothing is known of it, or it is not there */
};

struct walk_entry {
    enum walk_kind kind;
    const char *path; /* the root's as it was given, with what is below it behind */
    struct stat info; /* of a folder's end: as it was before */
    int problem;      /* errno of the last two kinds */
};

struct file_walk;

struct file_walk *file_walk_new(const char *root);
void file_walk_free(struct file_walk *walk);
/* Valid until the next call; NULL at the end. A folder is read when the one behind it is asked for.
 */
const struct walk_entry *file_walk_next(struct file_walk *walk);

#endif
