/* Allocation for our own small objects: these abort when memory is out, because the crash-and-
 * restore path is tested and hundreds of out-of-memory branches would not be. Sizes that a peer
 * chooses are limited first (frame.h, json.h). The caller owns and free()s the result. */
#ifndef BATCHD_COMMON_ALLOC_H
#define BATCHD_COMMON_ALLOC_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes); /* zeroed; aborts on overflow */
void *xreallocarray(void *pointer, size_t count, size_t bytes);
char *xstrdup(const char *text);               /* NULL gives NULL */
void *xmemdup(const void *data, size_t bytes); /* with a NUL added behind */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
