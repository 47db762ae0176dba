/* What a driver tells of one client of a GPU in /proc/PID/fdinfo/FD: Documentation/gpu/
 * drm-usage-stats.rst of Linux. Pure. */
#ifndef BATCHD_GPU_DRM_CLIENT_H
#define BATCHD_GPU_DRM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* Of one client; drivers have up to ten ("gfx", "compute", "dec"...). What is more is left out. */
#define DRM_ENGINES 16U

struct drm_engine {
    char name[24];
    uint64_t busy_ns;              /* GPU_UNKNOWN: not told, as below */
    uint64_t cycles, total_cycles; /* of the client, and the engine's own clock */
    uint64_t capacity;             /* engines of this name; at least 1 */
};

struct drm_client {
    char pci[32];          /* of its GPU: "0000:65:00.0" */
    uint64_t id;           /* of that GPU's clients: descriptors that share one have the same */
    uint64_t memory_bytes; /* GPU_UNKNOWN: not told */
    uint32_t engines;
    struct drm_engine engine[DRM_ENGINES];
};

/* False: it is no text of a client, or does not say of which GPU and which client. Memory is the
 * GPU's own, or, of a GPU that has none, what the client has of the machine's. */
bool drm_client_parse(const char *text, struct drm_client *ret);

#endif
