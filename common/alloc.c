#include "common/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *pointer)
{
    if (pointer == NULL) {
        static const char text[] = "batchd: out of memory\n";
        (void)fwrite(text, 1, sizeof(text) - 1, stderr);
        abort();
    }
    return pointer;
}

void *xmalloc(size_t bytes)
{
    return must(malloc(bytes > 0 ? bytes : 1));
}

void *xcalloc(size_t count, size_t bytes)
{
    return must(calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1));
}

void *xreallocarray(void *pointer, size_t count, size_t bytes)
{
    return must(reallocarray(pointer, count > 0 ? count : 1, bytes > 0 ? bytes : 1));
}

char *xstrdup(const char *text)
{
    return text == NULL ? NULL : must(strdup(text));
}

void *xmemdup(const void *data, size_t bytes)
{
    char *copy = xmalloc(bytes + 1);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return must(length < 0 ? NULL : text);
}
