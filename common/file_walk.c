#include "common/file_walk.h"

#include "common/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A folder that is being gone through. */
struct level {
    char *path;
    struct stat info;
    char **names; /* in their order */
    size_t count, at;
};

struct file_walk {
    struct level *levels;
    size_t depth;
    bool begun;
    bool enters; /* the last entry is a folder that was not read yet */
    char *path;  /* of the last entry */
    struct walk_entry entry;
};

struct file_walk *file_walk_new(const char *root)
{
    struct file_walk *walk = xcalloc(1, sizeof(*walk));
    walk->path = xstrdup(root);
    return walk;
}

static void level_done(struct level *level)
{
    for (size_t i = 0; i < level->count; i++)
        free(level->names[i]);
    free(level->names);
    free(level->path);
}

void file_walk_free(struct file_walk *walk)
{
    if (walk == NULL)
        return;
    for (size_t i = 0; i < walk->depth; i++)
        level_done(&walk->levels[i]);
    free(walk->levels);
    free(walk->path);
    free(walk);
}

static enum walk_kind kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return WALK_FOLDER;
    case S_IFREG:
        return WALK_FILE;
    case S_IFLNK:
        return WALK_LINK;
    default:
        return WALK_OTHER;
    }
}

static const struct walk_entry *meet(struct file_walk *walk)
{
    struct walk_entry *entry = &walk->entry;
    *entry = (struct walk_entry){.path = walk->path};
    if (lstat(walk->path, &entry->info) < 0) {
        entry->kind = WALK_FAILED;
        entry->problem = errno;
        return entry;
    }
    entry->kind = kind_of(entry->info.st_mode);
    walk->enters = entry->kind == WALK_FOLDER;
    return entry;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 0, or errno. */
static int read_names(DIR *folder, struct level *level)
{
    for (;;) {
        errno = 0;
        const struct dirent *found = readdir(folder);
        if (found == NULL)
            break;
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        if ((level->count & (level->count - 1)) == 0) /* twice as many, at each power of two */
            level->names = xreallocarray(level->names, 2 * level->count + 1, sizeof(char *));
        level->names[level->count++] = xstrdup(found->d_name);
    }
    int problem = errno;
    if (level->count > 0)
        qsort(level->names, level->count, sizeof(char *), by_name);
    return problem;
}

/* 0, or errno. */
static int enter(struct file_walk *walk)
{
    DIR *folder = opendir(walk->path);
    if (folder == NULL)
        return errno;
    struct level level = {.path = xstrdup(walk->path), .info = walk->entry.info};
    int problem = read_names(folder, &level);
    (void)closedir(folder);
    if (problem != 0) {
        level_done(&level);
        return problem;
    }
    walk->levels = xreallocarray(walk->levels, walk->depth + 1, sizeof(level));
    walk->levels[walk->depth++] = level;
    return 0;
}

static void set_path(struct file_walk *walk, char *path)
{
    free(walk->path);
    walk->path = path;
}

static const struct walk_entry *leave(struct file_walk *walk)
{
    struct level *level = &walk->levels[--walk->depth];
    set_path(walk, level->path);
    level->path = NULL;
    walk->entry = (struct walk_entry){WALK_FOLDER_END, walk->path, level->info, 0};
    level_done(level);
    return &walk->entry;
}

const struct walk_entry *file_walk_next(struct file_walk *walk)
{
    if (!walk->begun) {
        walk->begun = true;
        return meet(walk);
    }
    if (walk->enters) {
        walk->enters = false;
        walk->entry.problem = enter(walk);
        if (walk->entry.problem != 0) {
            walk->entry.kind = WALK_UNREADABLE;
            return &walk->entry;
        }
    }
    if (walk->depth == 0)
        return NULL;
    struct level *level = &walk->levels[walk->depth - 1];
    if (level->at == level->count)
        return leave(walk);
    set_path(walk, xasprintf("%s/%s", level->path, level->names[level->at++]));
    return meet(walk);
}
