#include "gpu/idle.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all cards; each has one to four. */
#define PARTS 256U
/* The counters are of milliseconds: over less they say little. */
#define PASSED_MIN_US (20 * US_PER_MS)

struct part {
    char path[120];
    uint64_t slept_ms;
    int64_t at_us; /* of CLOCK_MONOTONIC */
    uint64_t busy; /* as it was last told */
};

struct gpu_idle {
    size_t count;
    struct part part[PARTS];
};

struct gpu_idle *gpu_idle_new(void)
{
    return xcalloc(1, sizeof(struct gpu_idle));
}

void gpu_idle_free(struct gpu_idle *idle)
{
    free(idle);
}

/* NULL: there are too many. */
static struct part *part_at(struct gpu_idle *idle, const char *path)
{
    for (size_t i = 0; i < idle->count; i++) {
        if (strcmp(idle->part[i].path, path) == 0)
            return &idle->part[i];
    }
    if (idle->count == PARTS || strlen(path) >= sizeof(idle->part[0].path))
        return NULL;
    struct part *part = &idle->part[idle->count++];
    *part = (struct part){.slept_ms = GPU_UNKNOWN, .busy = GPU_UNKNOWN};
    (void)snprintf(part->path, sizeof(part->path), "%s", path);
    return part;
}

/* A counter that fell back is of a card that came anew: its next difference counts. */
static uint64_t busy_of(struct gpu_idle *idle, const struct look *look, const char *path)
{
    struct part *part = part_at(idle, path);
    const uint64_t slept = look_number(look, path, 10);
    const int64_t now = clock_running_us();
    if (part == NULL || !gpu_known(slept))
        return GPU_UNKNOWN;
    const int64_t passed = now - part->at_us;
    if (gpu_known(part->slept_ms) && slept >= part->slept_ms && passed < PASSED_MIN_US)
        return part->busy;
    const double awake = 1 - (double)(slept - part->slept_ms) * (double)US_PER_MS / (double)passed;
    part->busy = !gpu_known(part->slept_ms) || slept < part->slept_ms ? GPU_UNKNOWN
                 : awake <= 0                                         ? 0
                              : (uint64_t)(100 * awake + 0.5);
    part->slept_ms = slept;
    part->at_us = now;
    return part->busy;
}

uint64_t gpu_idle_busy(struct gpu_idle *idle, const struct look *look, const char *card)
{
    /* i915 since Linux 5.19, before, and xe. */
    static const char *const places[] = {"/gt/gt*/rc6_residency_ms", "/power/rc6_residency_ms",
                                         "/device/tile*/gt*/gtidle/idle_residency_ms"};
    uint64_t most = GPU_UNKNOWN;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !gpu_known(most); i++) {
        glob_t paths = {0};
        CLEANUP_FREE char *pattern = xasprintf("%s%s%s", look->root, card, places[i]);
        const int result = glob(pattern, 0, NULL, &paths);
        for (size_t p = 0; result == 0 && p < paths.gl_pathc; p++) {
            const uint64_t busy = busy_of(idle, look, paths.gl_pathv[p] + strlen(look->root));
            if (gpu_known(busy) && (!gpu_known(most) || busy > most))
                most = busy;
        }
        globfree(&paths);
    }
    return most;
}
