#include "common/checkpoint.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/file_tree.h"
#include "common/glib_memory.h"
#include "common/parse.h"

#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define MANIFEST_BYTES_MAX 1024U

void checkpoint_done(struct checkpoint *checkpoint)
{
    free(checkpoint->path);
    *checkpoint = (struct checkpoint){0};
}

/* ---- the manifest ---- */

static char *manifest_sum(const char *lines, size_t bytes)
{
    glib_needs_memory();
    char *hex = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)lines, bytes);
    char *copy = xstrdup(hex);
    g_free(hex);
    return copy;
}

/* Owned. */
static char *manifest_text(const struct checkpoint *is, const struct file_tree_sum *sum)
{
    CLEANUP_FREE char *lines =
        xasprintf("batchd-checkpoint 1\nnumber %" PRIu64 "\nattempt %" PRIu32 "\nmade_at %" PRId64
                  "\nbytes %" PRIu64 "\nsha256 %s\n",
                  is->number, is->attempt, is->made_at, sum->bytes, sum->sha256);
    CLEANUP_FREE char *check = manifest_sum(lines, strlen(lines));
    return xasprintf("%smanifest %s\n", lines, check);
}

/* 0, or -1 with what is wrong. What it names is only believed after its own sum. */
static int manifest_read(const char *path, struct checkpoint *ret, struct file_tree_sum *ret_sum,
                         const char **ret_why)
{
    size_t bytes;
    char check[65];
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, MANIFEST_BYTES_MAX, &bytes);
    const char *last = text == NULL ? NULL : strstr(text, "\nmanifest ");
    *ret_why = text == NULL ? "its manifest cannot be read" : "its manifest is damaged";
    if (last == NULL || sscanf(last, "\nmanifest %64[0-9a-f]\n", check) != 1)
        return -1;
    CLEANUP_FREE char *is = manifest_sum(text, (size_t)(last - text) + 1);
    if (strcmp(is, check) != 0 ||
        sscanf(text, /* NOLINT(cert-err34-c): the text's sum is right */
               "batchd-checkpoint 1\nnumber %" SCNu64 "\nattempt %" SCNu32 "\nmade_at %" SCNd64
               "\nbytes %" SCNu64 "\nsha256 %64[0-9a-f]\n",
               &ret->number, &ret->attempt, &ret->made_at, &ret_sum->bytes, ret_sum->sha256) != 5)
        return -1;
    ret->bytes = ret_sum->bytes;
    return 0;
}

/* ---- the folder ---- */

/* Of the name in `data`, of which there is one. Owned; NULL: there is none. */
static char *name_in(const char *data)
{
    char *name = NULL;
    DIR *folder = opendir(data);
    const struct dirent *entry;
    while (folder != NULL && name == NULL && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            name = xstrdup(entry->d_name);
    }
    if (folder != NULL)
        (void)closedir(folder);
    return name;
}

/* 1 and *ret when number N is valid; else 0 and why. */
static int look_at(const char *folder, uint64_t number, struct checkpoint *ret,
                   const char **ret_why)
{
    struct checkpoint found = {0};
    struct file_tree_sum said, is;
    CLEANUP_FREE char *manifest = xasprintf("%s/%" PRIu64 "/manifest", folder, number);
    CLEANUP_FREE char *data = xasprintf("%s/%" PRIu64 "/data", folder, number);
    if (manifest_read(manifest, &found, &said, ret_why) < 0)
        return 0;
    *ret_why = "its manifest is of another one";
    if (found.number != number)
        return 0;
    CLEANUP_FREE char *name = name_in(data);
    *ret_why = "its files are not there";
    if (name == NULL)
        return 0;
    *ret_why = "its files are damaged";
    if (file_tree_sum(data, &is, NULL) < 0 || strcmp(is.sha256, said.sha256) != 0)
        return 0;
    *ret = found;
    ret->path = xasprintf("%s/%s", data, name);
    return 1;
}

struct numbers {
    uint64_t *number; /* owned; the newest first */
    size_t count;
};

static void numbers_done(struct numbers *numbers)
{
    free(numbers->number);
}

static int newest_first(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? 1 : left > right ? -1 : 0;
}

static struct numbers list(const char *folder)
{
    struct numbers numbers = {0};
    DIR *open = opendir(folder);
    const struct dirent *entry;
    uint64_t number;
    while (open != NULL && (entry = readdir(open)) != NULL) {
        if (parse_u64(entry->d_name, 1, UINT64_MAX - 1, &number, NULL) < 0)
            continue;
        numbers.number = xreallocarray(numbers.number, numbers.count + 1, sizeof(*numbers.number));
        numbers.number[numbers.count++] = number;
    }
    if (open != NULL)
        (void)closedir(open);
    if (numbers.count > 1)
        qsort(numbers.number, numbers.count, sizeof(*numbers.number), newest_first);
    return numbers;
}

int checkpoint_newest(const char *folder, checkpoint_note_fn note, void *arg,
                      struct checkpoint *ret)
{
    CLEANUP(numbers_done) struct numbers numbers = list(folder);
    const char *why;
    for (size_t i = 0; i < numbers.count; i++) {
        if (look_at(folder, numbers.number[i], ret, &why) > 0)
            return 1;
        note(arg, numbers.number[i], why);
    }
    return 0;
}

/* ---- commit ---- */

/* Its name is on disk, too. */
static int make_folder(const char *path)
{
    CLEANUP_FREE char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    if (mkdir(path, 0700) < 0)
        return -1;
    if (slash == NULL)
        return file_sync(".");
    slash[1] = '\0';
    return file_sync(parent);
}

static int make_folders(const char *folder, struct error *err)
{
    CLEANUP_FREE char *path = xstrdup(folder);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)make_folder(path); /* the last one tells */
        *slash = '/';
    }
    if (make_folder(path) < 0 && errno != EEXIST)
        return error_set_errno(err, "the checkpoint folder \"%.200s\" cannot be made", folder);
    return 0;
}

/* `source` without its links, which must not hold the folder that it is copied into. Owned. */
static char *resolve(const char *folder, const char *source, struct error *err)
{
    CLEANUP_FREE char *to = realpath(folder, NULL);
    CLEANUP_FREE char *from = to == NULL ? NULL : realpath(source, NULL);
    if (from == NULL) {
        (void)error_set_errno(err, "\"%.200s\"", to == NULL ? folder : source);
        return NULL;
    }
    size_t length = strlen(from);
    if (strcmp(from, "/") == 0 ||
        (strncmp(from, to, length) == 0 && (to[length] == '/' || to[length] == '\0'))) {
        (void)error_set(err, ERROR_INVALID,
                        "\"%.200s\" holds the job's checkpoints and cannot be one", source);
        return NULL;
    }
    return TAKE_PTR(from);
}

static int write_manifest(const char *path, const struct checkpoint *is,
                          const struct file_tree_sum *sum, struct error *err)
{
    CLEANUP_FREE char *text = manifest_text(is, sum);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || fsync(fd) < 0)
        return error_set_errno(err, "\"%.200s\"", path);
    return 0;
}

/* The source as it is resolved. */
struct source {
    char *path; /* owned */
    enum checkpoint_source kind;
};

/* All of the source was read after all of the copy was made and is the same: so it was, as a whole,
 * at the moment between the two. */
static int check_copy(const struct source *from, const char *copy, struct error *err)
{
    struct file_tree_sum is, was;
    if (from->kind == CHECKPOINT_OF_STANDING)
        return 0;
    if (file_tree_sum(from->path, &is, err) < 0 || file_tree_sum(copy, &was, err) < 0)
        return -1;
    if (strcmp(is.sha256, was.sha256) == 0)
        return 0;
    return error_set(err, ERROR_CONFLICT, "\"%.200s\" changed while it was copied", from->path);
}

/* Everything of it under .new, on disk. */
static int make_new(const char *new, const struct source *from, struct checkpoint *is,
                    struct error *err)
{
    struct file_tree_sum sum;
    CLEANUP_FREE char *data = xasprintf("%s/data", new);
    CLEANUP_FREE char *copy = xasprintf("%s/data%s", new, strrchr(from->path, '/'));
    CLEANUP_FREE char *manifest = xasprintf("%s/manifest", new);
    if (file_tree_remove(new, err) < 0)
        return -1;
    if (mkdir(new, 0700) < 0 || mkdir(data, 0700) < 0)
        return error_set_errno(err, "\"%.200s\"", data);
    if (file_tree_copy(from->path, copy, err) < 0 || check_copy(from, copy, err) < 0)
        return -1;
    if (file_sync(data) < 0)
        return error_set_errno(err, "\"%.200s\" cannot be synced", data);
    /* Of `data` as a whole, so that the name in it counts and nothing can be added. */
    if (file_tree_sum(data, &sum, err) < 0 || write_manifest(manifest, is, &sum, err) < 0)
        return -1;
    is->bytes = sum.bytes;
    return file_sync(new) < 0 ? error_set_errno(err, "\"%.200s\" cannot be synced", new) : 0;
}

/* The newest is valid; of the others only as many are looked at as are kept. What cannot be removed
 * is tried again the next time. */
static void remove_old(const char *folder, const struct numbers *before)
{
    int valid = 1;
    for (size_t i = 0; i < before->count; i++) {
        struct checkpoint found = {0};
        const char *why;
        bool keep =
            valid < CHECKPOINTS_KEPT && look_at(folder, before->number[i], &found, &why) > 0;
        checkpoint_done(&found);
        valid += keep;
        CLEANUP_FREE char *path = xasprintf("%s/%" PRIu64, folder, before->number[i]);
        if (!keep)
            (void)file_tree_remove(path, NULL);
    }
}

static int commit_locked(const char *folder, int folder_fd, const struct source *from,
                         struct checkpoint *is, struct error *err)
{
    CLEANUP_FREE char *new = xasprintf("%s/.new", folder);
    CLEANUP(numbers_done) struct numbers before = list(folder);
    is->number = before.count == 0 ? 1 : before.number[0] + 1;
    CLEANUP_FREE char *path = xasprintf("%s/%" PRIu64, folder, is->number);
    int result = make_new(new, from, is, err);
    if (result == 0 &&
        (renameat2(AT_FDCWD, new, AT_FDCWD, path, RENAME_NOREPLACE) < 0 || fsync(folder_fd) < 0))
        result = error_set_errno(err, "\"%.200s\"", path);
    if (result < 0) {
        (void)file_tree_remove(new, NULL);
        return -1;
    }
    remove_old(folder, &before);
    is->path = xasprintf("%s/data%s", path, strrchr(from->path, '/'));
    return 0;
}

static void source_done(struct source *source)
{
    free(source->path);
}

int checkpoint_commit(const char *folder, const char *source, enum checkpoint_source kind,
                      uint32_t attempt, struct checkpoint *ret, struct error *err)
{
    struct checkpoint is = {.attempt = attempt, .made_at = clock_wall_us()};
    if (make_folders(folder, err) < 0)
        return -1;
    CLEANUP(source_done)
    struct source from = {.path = resolve(folder, source, err), .kind = kind};
    if (from.path == NULL)
        return -1;
    CLEANUP_CLOSE int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return error_set_errno(err, "the checkpoint folder \"%.200s\"", folder);
    if (commit_locked(folder, lock, &from, &is, err) < 0)
        return -1;
    *ret = is;
    return 0;
}
