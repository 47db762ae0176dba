/* How busy clients of a GPU kept it between two looks at them. Pure. */
#ifndef BATCHD_GPU_DRM_LOAD_H
#define BATCHD_GPU_DRM_LOAD_H

#include "gpu/drm_client.h"

#include <stddef.h>

/* Of all processes; what is more is left out. */
#define DRM_CLIENTS 1024U

struct drm_seen {
    struct drm_client client;
    uint64_t pid;
    int64_t at_us; /* when it was read, of a clock that runs evenly */
};

/* The clients of one look, each once. */
struct drm_look {
    struct drm_seen *seen; /* owned; room for DRM_CLIENTS */
    size_t count;
};

/* In percent, of the GPU's engine that they kept busiest, by the clients of one process, or of all
 * (pid GPU_UNKNOWN). GPU_UNKNOWN: none of them was there before. A client that came since counts
 * as idle; a counter that fell back is about to catch up, and counts as idle, too. */
uint64_t drm_load(const struct drm_look *before, const struct drm_look *now, const char *pci,
                  uint64_t pid);

#endif
