/* Scope guards: a variable marked with one of these releases what it holds when its scope ends, so
 * that an early return needs no goto. TAKE_PTR and TAKE_FD hand the value on and disarm the guard.
 * Every guard keeps errno and takes the empty value (NULL, -1). */
#ifndef BATCHD_COMMON_CLEANUP_H
#define BATCHD_COMMON_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        (void)close(*fd);
        errno = saved;
    }
}

static inline void cleanup_fclose(FILE **file)
{
    if (*file != NULL) {
        int saved = errno;
        (void)fclose(*file);
        errno = saved;
    }
}

#define CLEANUP(function) __attribute__((cleanup(function)))
#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_CLOSE CLEANUP(cleanup_close)
#define CLEANUP_FCLOSE CLEANUP(cleanup_fclose)

#define TAKE_PTR(pointer)                       \
    __extension__({                             \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

#define TAKE_FD(fd)        \
    __extension__({        \
        int taken_ = (fd); \
        (fd) = -1;         \
        taken_;            \
    })

#endif
