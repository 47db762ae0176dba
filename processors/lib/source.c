#include "processors/lib/source.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"

#include <fcntl.h>
#include <nettle/sha2.h>

#define READ_BYTES (1U << 18)

_Static_assert(SOURCE_SUM_BYTES == 2 * SHA256_DIGEST_SIZE + 1, "two digits a byte, and a NUL");

int source_hash(int fd, int64_t *ret_bytes, char ret_hex[SOURCE_SUM_BYTES])
{
    CLEANUP_FREE char *buffer = xmalloc(READ_BYTES);
    uint8_t sum[SHA256_DIGEST_SIZE];
    struct sha256_ctx state;
    ssize_t got;
    *ret_bytes = 0;
    sha256_init(&state);
    while ((got = read(fd, buffer, READ_BYTES)) > 0 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        sha256_update(&state, (size_t)got, (const uint8_t *)buffer);
        *ret_bytes += got;
    }
    sha256_digest(&state, sizeof(sum), sum);
    for (size_t i = 0; i < sizeof(sum); i++)
        (void)snprintf(ret_hex + 2 * i, 3, "%02x", sum[i]);
    return got < 0 ? -1 : 0;
}

static int check_kind(const char *path, const char *field, const struct stat *info,
                      struct error *err)
{
    if (!S_ISREG(info->st_mode))
        return error_set(err, ERROR_INVALID, "%s is \"%.200s\"; it must be a regular file", field,
                         path);
    if (info->st_size == 0)
        return error_set(err, ERROR_DAMAGED, "%s \"%.200s\" is empty", field, path);
    return 0;
}

static int open_and_hash(const char *path, const char *field, struct source *ret, struct error *err)
{
    char hex[SOURCE_SUM_BYTES] = "";
    int64_t bytes = 0;
    if (path == NULL)
        return error_set(err, ERROR_INVALID, "%s is missing; it is required", field);
    /* Not to hang on a FIFO: its kind is looked at before anything is read. */
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &ret->checked) < 0) {
        (void)error_set_errno(err, "%s \"%.200s\"", field, path);
        if (errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)
            err->code = ERROR_NOT_FOUND;
        return -1;
    }
    if (check_kind(path, field, &ret->checked, err) < 0)
        return -1;
    if (source_hash(fd, &bytes, hex) < 0)
        return error_set_errno(err, "%s \"%.200s\"", field, path);
    ret->facts = json_object();
    json_put_text(ret->facts, "path", path);
    json_put_int(ret->facts, "bytes", bytes);
    json_put_text(ret->facts, "sha256", hex);
    return 0;
}

int source_open(char *path, const char *field, struct source *ret, struct error *err)
{
    ret->path = path;
    if (open_and_hash(path, field, ret, err) == 0)
        return 0;
    (void)snprintf(err->field, sizeof(err->field), "params.%s", field);
    return -1;
}

void source_done(struct source *source)
{
    free(source->path);
    json_decref(source->facts);
    *source = (struct source){0};
}

int source_unchanged(const struct source *source, struct error *err)
{
    struct stat now;
    const struct stat *was = &source->checked;
    if (stat(source->path, &now) == 0 && now.st_ino == was->st_ino && now.st_dev == was->st_dev &&
        now.st_size == was->st_size && now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == was->st_mtim.tv_nsec)
        return 0;
    return error_set(err, ERROR_BUSY, "\"%.200s\" was changed while it was read", source->path);
}

int source_explain(const struct source *source, struct error *err)
{
    struct error changed = {0};
    if (source_unchanged(source, &changed) < 0)
        *err = changed;
    return -1;
}

int source_differs(const struct source *source, const char *output, struct error *err)
{
    struct stat info;
    if (stat(output, &info) < 0 || info.st_ino != source->checked.st_ino ||
        info.st_dev != source->checked.st_dev)
        return 0;
    return error_set_field(err, "params.output",
                           "output is \"%.200s\", which is the input; it must be "
                           "another file",
                           output);
}
