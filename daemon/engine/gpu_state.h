/* What the engine keeps of each GPU (gpus.h). */
#ifndef BATCHD_DAEMON_ENGINE_GPU_STATE_H
#define BATCHD_DAEMON_ENGINE_GPU_STATE_H

#include "common/gpu_report.h"
#include "daemon/core/gpus.h"

/* One of those that jobs are given: its number is that of the drivers, in the order of the bus. */
struct gpu_device {
    bool seen;
    char pci[32], name[96]; /* once it was seen */
    char fault[160];        /* why no job is given it; "": it is */
    uint32_t settling;      /* a job on it has ended: so many reports may still count that job in */
    bool crowded;           /* others use much of its memory, and more than the lower mark since */
};

/* The engine's. */
struct gpu_devices {
    uint64_t seen_at; /* the watch's serial */
    enum gpu_vendor vendor;
    struct gpu_device device[GPUS_MAX];
};

#endif
