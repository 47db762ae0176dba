/* Allocation for our own small objects: when memory is out these end the program, because the end-
 * and-restore path is tested and hundreds of out-of-memory branches would not be. Nothing that was
 * not committed was said, so a batchd that is started again knows all it promised. Sizes that a
 * peer chooses are limited first (frame.h, json.h). The caller owns and free()s the result. */
#ifndef BATCHD_COMMON_ALLOC_H
#define BATCHD_COMMON_ALLOC_H

#include <stdarg.h>
#include <stddef.h>

/* Says so and ends with status 71 (EX_OSERR), at once: what runs at exit would want memory too. */
__attribute__((noreturn, cold)) void out_of_memory(void);

/* Called first by the above; it must not want memory. */
void out_of_memory_tell(void (*tell)(void));

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes); /* zeroed */
void *xreallocarray(void *pointer, size_t count, size_t bytes);
char *xstrdup(const char *text);               /* NULL gives NULL */
void *xmemdup(const void *data, size_t bytes); /* with a NUL added behind */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
