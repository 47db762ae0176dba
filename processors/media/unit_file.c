/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/unit_file.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/source.h"
#include "processors/media/facts.h"

#include <fcntl.h>

int unit_file_facts(const char *path, json_t **ret, struct error *err)
{
    CLEANUP(source_done) struct source file = {0};
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        (void)error_set_errno(err, "\"%.200s\"", path);
        err->code = ERROR_IO;
        return -1;
    }
    if (source_open(xstrdup(path), "a chunk", &file, err) < 0)
        return -1;
    *ret = json_incref(file.facts);
    (void)json_object_del(*ret, "path");
    return 0;
}

int unit_file_check(const char *path, const json_t *facts, struct error *err)
{
    CLEANUP(source_done) struct source file = {0};
    if (source_open(xstrdup(path), "a chunk", &file, err) < 0)
        return -1;
    return json_equal(json_object_get(file.facts, "sha256"), json_object_get(facts, "sha256"))
               ? 0
               : error_set(err, ERROR_DAMAGED, "it is not what was written");
}
