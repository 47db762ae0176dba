/* What the fuzz targets share. A target gives its bytes to one parser and checks more than that it
 * survives: what it reads can be written and read again to the same, a refusal says what is wrong,
 * and it takes no longer than its input explains. libFuzzer calls it (make fuzz), and replay.c with
 * each file of its corpus (make check). */
#ifndef BATCHD_TESTS_FUZZ_FUZZ_H
#define BATCHD_TESTS_FUZZ_FUZZ_H

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A folder of this process, removed at its end. */
const char *fuzz_folder(void);

/* As assert, in every build. */
#define MUST(condition)                                                           \
    do {                                                                          \
        if (!(condition)) {                                                       \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* A refusal names its reason, and the field where there is one. */
#define MUST_EXPLAIN(err) MUST((err)->code != ERROR_NONE && (err)->text[0] != '\0')
#define MUST_NAME(err, name) MUST((err)->code == ERROR_INVALID && strcmp((err)->field, name) == 0)

/* The input as a text, up to its first NUL. The caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t bytes)
{
    return xmemdup(data, bytes);
}

#endif
