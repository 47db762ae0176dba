/* The files a processor reads and has written, as the result names them: path, size, SHA-256. */
#ifndef BATCHD_PROCESSORS_LIB_SOURCE_H
#define BATCHD_PROCESSORS_LIB_SOURCE_H

#include "common/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SOURCE_SUM_BYTES 65 /* of a SHA-256 in hex, with its NUL */

struct source {
    char *path;          /* owned; absolute */
    json_t *facts;       /* owned; {path, bytes, sha256} */
    struct stat checked; /* as it was when it was hashed */
};

/* Opens and hashes a regular file, the parameter `field`; takes `path`. *ret must be zeroed,
 * release with source_done in any case. ERROR_NOT_FOUND or ERROR_DENIED (both exit 66),
 * ERROR_INVALID for a folder or device, ERROR_DAMAGED for an empty file. */
int source_open(char *path, const char *field, struct source *ret, struct error *err);
void source_done(struct source *source);

/* From where it stands to its end: how many bytes, and their sum. 0, or -1 with errno. */
int source_hash(int fd, int64_t *ret_bytes, char ret_hex[SOURCE_SUM_BYTES]);

/* Whether it still is the file that was hashed. 0, or -1 with ERROR_BUSY. */
int source_unchanged(const struct source *source, struct error *err);

/* After a failure: one that is another file by now explains it, whatever it looked like (it is
 * closed to the sandbox, too). Returns -1. */
int source_explain(const struct source *source, struct error *err);

/* Refuses an output that is the input: a second attempt would work on the first one's result. */
int source_differs(const struct source *source, const char *output, struct error *err);

#endif
