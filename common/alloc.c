#include "common/alloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <unistd.h>

static void (*tell_first)(void);

void out_of_memory_tell(void (*tell)(void))
{
    tell_first = tell;
}

void out_of_memory(void)
{
    if (tell_first != NULL)
        tell_first();
    static const char text[] = ": out of memory\n";
    const struct iovec parts[] = {
        {.iov_base = program_invocation_short_name,
         .iov_len = strlen(program_invocation_short_name)},
        {.iov_base = (char *)(uintptr_t)text, .iov_len = sizeof(text) - 1}};
    ssize_t ignored = writev(STDERR_FILENO, parts, 2);
    (void)ignored;
    _exit(EX_OSERR);
}

static void *must(void *pointer)
{
    if (pointer == NULL)
        out_of_memory();
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
