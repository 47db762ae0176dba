/* What the engine keeps of each GPU (gpus.h). */
#ifndef BATCHD_DAEMON_ENGINE_GPU_STATE_H
#define BATCHD_DAEMON_ENGINE_GPU_STATE_H

#include "common/gpu_report.h"
#include "daemon/core/gpus.h"

/* One of those that jobs are given. Its place, which is its index to jobs, is that in the order of
 * the bus when it was first seen since the machine started, whatever vanishes later. */
struct gpu_device {
    bool seen;
    bool present;                     /* in the newest report */
    char pci[32], name[96], uuid[96]; /* once it was seen; "": that was never told */
    uint32_t position; /* among those that the driver shows: how it numbers them now */
    int64_t stored;    /* as the store has it (gpu_places.c) */
    char fault[160];   /* why no job is given it; "": it is */
    bool told;         /* the log has that */
    uint32_t settling; /* a job on it has ended: so many reports may still count that job in */
    bool crowded;      /* others use much of its memory, and more than the lower mark since */
};

/* The engine's. */
struct gpu_devices {
    uint64_t seen_at;       /* the watch's serial */
    enum gpu_vendor vendor; /* GPU_VENDOR_COUNT: not known yet */
    struct gpu_device device[GPUS_MAX];
};

#endif
