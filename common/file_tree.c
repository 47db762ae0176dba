#include "common/file_tree.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/file_walk.h"
#include "common/glib_memory.h"

#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_BYTES 262144U

struct walk {
    struct file_walk *entries;
    const struct walk_entry *entry; /* where it is */
    size_t root;                    /* bytes of the root's path */
    const char *to;                 /* the root of the copy, or NULL */
    char *target;                   /* the copy's path of this entry, "" without a copy */
    char *block;                    /* BLOCK_BYTES */
    GChecksum *whole;               /* NULL: no sum is wanted */
    uint64_t bytes;
};

static void walk_begin(struct walk *walk, const char *root)
{
    walk->entries = file_walk_new(root);
    walk->root = strlen(root);
    walk->block = xmalloc(BLOCK_BYTES);
    walk->target = xcalloc(1, PATH_MAX);
}

static void walk_done(struct walk *walk)
{
    file_walk_free(walk->entries);
    free(walk->block);
    free(walk->target);
    if (walk->whole != NULL)
        g_checksum_free(walk->whole);
}

/* 1 and the next entry, 0 at the end, -1 when it cannot be read or is of no kind that is taken. */
static int walk_next(struct walk *walk, struct error *err)
{
    const struct walk_entry *entry = walk->entry = file_walk_next(walk->entries);
    if (entry == NULL)
        return 0;
    if (entry->kind == WALK_UNREADABLE || entry->kind == WALK_FAILED) {
        errno = entry->problem;
        return error_set_errno(err, "\"%.200s\"", entry->path);
    }
    if (entry->kind == WALK_OTHER)
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" is no file, no folder and no symbolic link", entry->path);
    if (walk->to == NULL)
        return 1;
    int length = snprintf(walk->target, PATH_MAX, "%s%s", walk->to, entry->path + walk->root);
    errno = ENAMETOOLONG;
    return length < PATH_MAX ? 1 : error_set_errno(err, "\"%.200s\"", entry->path);
}

static GChecksum *sum_new(void)
{
    glib_needs_memory();
    return g_checksum_new(G_CHECKSUM_SHA256);
}

/* The sum's own. */
static const char *sum_hex(GChecksum *sum)
{
    glib_needs_memory();
    return g_checksum_get_string(sum);
}

static void sum_text(GChecksum *sum, const char *text)
{
    g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1); /* its NUL ends it */
}

static void add_entry(const struct walk *walk, const char *content)
{
    char head[64];
    const struct walk_entry *entry = walk->entry;
    if (walk->whole == NULL)
        return;
    (void)snprintf(head, sizeof(head), "%o", entry->info.st_mode & (S_IFMT | 0777U));
    sum_text(walk->whole, head);
    sum_text(walk->whole, entry->path + walk->root);
    sum_text(walk->whole, content);
}

/* Reads it to its end; writes what it read to `to` if that is open. */
static int pass_content(struct walk *walk, int from, int to, GChecksum *sum)
{
    ssize_t got;
    while ((got = read(from, walk->block, BLOCK_BYTES)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (to >= 0 && fd_write_all(to, walk->block, (size_t)got) < 0))
            return -1;
        if (sum != NULL)
            g_checksum_update(sum, (const guchar *)walk->block, got);
        walk->bytes += (uint64_t)got;
    }
    return 0;
}

static int sync_copy(const struct walk *walk, int fd)
{
    return fchmod(fd, walk->entry->info.st_mode & 0777) < 0 ? -1 : fsync(fd);
}

/* NONBLOCK: what was a file a moment ago may be a FIFO now. */
static int pass_file(struct walk *walk)
{
    CLEANUP_CLOSE int from =
        open(walk->entry->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    CLEANUP_CLOSE int to = -1;
    if (from < 0)
        return -1;
    if (walk->to != NULL) {
        to = open(walk->target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (to < 0)
            return -1;
    }
    GChecksum *sum = walk->whole == NULL ? NULL : sum_new();
    int result = pass_content(walk, from, to, sum);
    if (result == 0 && to >= 0)
        result = sync_copy(walk, to);
    if (sum != NULL) {
        add_entry(walk, sum_hex(sum));
        g_checksum_free(sum);
    }
    return result;
}

static int pass_link(const struct walk *walk)
{
    char text[PATH_MAX];
    ssize_t length = readlink(walk->entry->path, text, sizeof(text) - 1);
    if (length < 0)
        return -1;
    text[length] = '\0';
    if (walk->to != NULL && symlink(text, walk->target) < 0)
        return -1;
    add_entry(walk, text);
    return 0;
}

/* A folder is met twice: before what is in it and after. */
static int pass_folder(const struct walk *walk)
{
    if (walk->entry->kind == WALK_FOLDER) {
        add_entry(walk, "");
        return walk->to == NULL ? 0 : mkdir(walk->target, 0700);
    }
    if (walk->to == NULL)
        return 0;
    CLEANUP_CLOSE int fd = open(walk->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : sync_copy(walk, fd);
}

static int pass_entry(struct walk *walk)
{
    if (walk->entry->kind == WALK_FILE)
        return pass_file(walk);
    if (walk->entry->kind == WALK_LINK)
        return pass_link(walk);
    return pass_folder(walk);
}

static int pass(struct walk *walk, const char *from, struct error *err)
{
    int more = 1;
    walk_begin(walk, from);
    while (more > 0) {
        more = walk_next(walk, err);
        if (more > 0 && pass_entry(walk) < 0)
            return error_set_errno(err, "\"%.200s\"", walk->entry->path);
    }
    return more;
}

int file_tree_copy(const char *from, const char *to, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {.to = to};
    return pass(&walk, from, err);
}

int file_tree_sum(const char *path, struct file_tree_sum *ret, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {.whole = sum_new()};
    if (pass(&walk, path, err) < 0)
        return -1;
    ret->bytes = walk.bytes;
    (void)snprintf(ret->sha256, sizeof(ret->sha256), "%s", sum_hex(walk.whole));
    return 0;
}

int file_sync(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? -1 : fsync(fd);
}

int file_tree_sync(const char *path, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {0};
    int more = 1;
    walk_begin(&walk, path);
    while (more > 0) {
        more = walk_next(&walk, err);
        if (more > 0 && (walk.entry->kind == WALK_FILE || walk.entry->kind == WALK_FOLDER_END) &&
            file_sync(walk.entry->path) < 0)
            return error_set_errno(err, "\"%.200s\" cannot be synced", walk.entry->path);
    }
    return more;
}

/* Whatever kind it is; a folder that may not be read may still be empty. */
static int remove_entry(const struct walk_entry *entry)
{
    if (entry->kind == WALK_FOLDER) /* one without rights for its owner, too */
        return chmod(entry->path, 0700) < 0 && errno != EPERM ? -1 : 0;
    bool folder = entry->kind == WALK_FOLDER_END || entry->kind == WALK_UNREADABLE;
    return unlinkat(AT_FDCWD, entry->path, folder ? AT_REMOVEDIR : 0);
}

int file_tree_remove(const char *path, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {0};
    walk_begin(&walk, path);
    while ((walk.entry = file_walk_next(walk.entries)) != NULL) {
        if (remove_entry(walk.entry) < 0 && errno != ENOENT)
            return error_set_errno(err, "\"%.200s\" cannot be removed", walk.entry->path);
    }
    return 0;
}
