/* The values of an array's tasks from a file: lines, or the elements of a JSON array. */
#ifndef BATCHD_CLIENT_VALUES_H
#define BATCHD_CLIENT_VALUES_H

#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct values {
    char *text; /* owned; the whole file */
    size_t bytes, at;
    uint64_t count; /* taken so far */
    bool json;
    bool failed; /* the file is not what it should be */
};

/* Reads the file at `path`, "-": standard input. 0, or -1 with err. */
int values_open(const char *path, bool json, struct values *ret, struct error *err);
void values_done(struct values *values);
void values_rewind(struct values *values);

/* The next value, for the wire, owned: a line without its end; of a JSON array a string as it is,
 * anything else as JSON without blanks, its numbers as they are written. NULL at the end, or with
 * err (err->code is not ERROR_NONE then). */
json_t *values_next(struct values *values, struct error *err);

#endif
