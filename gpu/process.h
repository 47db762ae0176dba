/* A process that uses a GPU, and whose job it belongs to: that of the worker of batchd in whose
 * control group it is, or from which it descends. */
#ifndef BATCHD_GPU_PROCESS_H
#define BATCHD_GPU_PROCESS_H

#include "gpu/look.h"

struct process_load {
    uint64_t memory_bytes, busy_percent; /* GPU_UNKNOWN: not told */
};

/* One more process of the GPU, or more memory of one that is there already: of one that computes
 * and draws the memory is told twice, so the larger counts. */
void process_add(const struct look *look, struct gpu_facts *gpu, uint64_t pid,
                 const struct process_load *load);

#endif
