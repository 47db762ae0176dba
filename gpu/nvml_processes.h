/* The processes on one GPU of NVIDIA: three lists, three versions of a record, and one of them in
 * two sizes. */
#ifndef BATCHD_GPU_NVML_PROCESSES_H
#define BATCHD_GPU_NVML_PROCESSES_H

#include "gpu/look.h"
#include "gpu/nvml_library.h"

/* Adds them to the GPU's; process_count stays GPU_UNKNOWN when no list could be had. */
void nvml_processes_look(const struct nvml_library *library, nvml_device device,
                         const struct look *look, struct gpu_facts *gpu);

#endif
