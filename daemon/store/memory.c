#include "daemon/store/memory.h"

#include "common/alloc.h"

#include <malloc.h>
#include <stdlib.h>

#include <sqlite3.h>

/* A page and a row with the largest request take less. What is larger is asked for by the length in
 * a damaged row, and is refused to it. */
#define ONE_MAX (16 << 20)

static void *given(void *pointer, int bytes)
{
    if (pointer == NULL && bytes <= ONE_MAX)
        out_of_memory();
    return pointer;
}

static void *take(int bytes)
{
    return given(bytes > ONE_MAX ? NULL : malloc((size_t)bytes), bytes);
}

static void *resize(void *pointer, int bytes)
{
    return given(bytes > ONE_MAX ? NULL : realloc(pointer, (size_t)bytes), bytes);
}

static int size_of(void *pointer)
{
    return (int)malloc_usable_size(pointer);
}

static int round_up(int bytes)
{
    return (bytes + 7) & ~7;
}

static int begin(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void end(void *arg)
{
    (void)arg;
}

void store_memory_use(void)
{
    static const sqlite3_mem_methods methods = {.xMalloc = take,
                                                .xFree = free,
                                                .xRealloc = resize,
                                                .xSize = size_of,
                                                .xRoundup = round_up,
                                                .xInit = begin,
                                                .xShutdown = end};
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods); /* refused once it is in use */
}
