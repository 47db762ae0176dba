#include "processors/lib/preview.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "processors/lib/report.h"
#include "processors/lib/staging.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME "preview.jpg"
#define FIRST_US (2 * US_PER_SECOND)
#define INTERVAL_US (5 * US_PER_SECOND)

/* One process has one job at a time; several threads may ask. */
static struct {
    pthread_mutex_t lock; /* of next_us */
    int64_t next_us;
    char *path; /* NULL: there is no place for one */
} preview = {.lock = PTHREAD_MUTEX_INITIALIZER};

void preview_begin(void)
{
    preview.next_us = clock_monotonic_us() + FIRST_US;
    preview.path = staging_work() == NULL ? NULL : xasprintf("%s/" NAME, staging_work());
}

bool preview_due(void)
{
    const int64_t now = clock_monotonic_us();
    if (!report_is_open())
        return false;
    (void)pthread_mutex_lock(&preview.lock);
    const bool due = now >= preview.next_us;
    if (due)
        preview.next_us = now + INTERVAL_US;
    (void)pthread_mutex_unlock(&preview.lock);
    return due;
}

/* Whole at any moment: somebody may look at it. */
void preview_write(const void *jpeg, size_t bytes)
{
    if (preview.path == NULL)
        return;
    CLEANUP_FREE char *part = xasprintf("%s.part", preview.path);
    CLEANUP_CLOSE int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (fd_write_all(fd, jpeg, bytes) == 0 && rename(part, preview.path) == 0)
        report_preview(preview.path);
    else
        (void)unlink(part);
}
