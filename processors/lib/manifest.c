#include "processors/lib/manifest.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/manifest.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

char *own_manifest_text(struct error *err)
{
    char path[PATH_MAX];
    size_t bytes = 0;
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(path, '/');
    size_t room = slash == NULL ? 0 : sizeof(path) - (size_t)(slash - path);
    if (room < sizeof("/manifest.json")) {
        (void)error_set(err, ERROR_INTERNAL, "the program's own path is not known");
        return NULL;
    }
    memcpy(slash, "/manifest.json", sizeof("/manifest.json"));
    char *text = fd_read_file(AT_FDCWD, path, MANIFEST_BYTES_MAX, &bytes);
    if (text == NULL) {
        (void)error_set_errno(err, "%s", path);
        err->code = ERROR_INTERNAL;
    }
    return text;
}

json_t *own_manifest_load(struct error *err)
{
    CLEANUP_FREE char *text = own_manifest_text(err);
    json_t *manifest = text == NULL ? NULL : manifest_load(text, strlen(text), err);
    if (manifest == NULL) {
        err->code = ERROR_INTERNAL;
        (void)error_wrap(err, "manifest.json");
    }
    return manifest;
}
