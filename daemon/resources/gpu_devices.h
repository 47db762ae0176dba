/* The GPUs that the kernel's drivers show, counted without a library of a vendor. */
#ifndef BATCHD_DAEMON_RESOURCES_GPU_DEVICES_H
#define BATCHD_DAEMON_RESOURCES_GPU_DEVICES_H

#include "common/gpu_report.h"

#include <stdbool.h>
#include <stdint.h>

/* NVIDIA's, as /proc/driver/nvidia/gpus or else /dev/nvidia0... list them; where there is none,
 * AMD's, as the compute driver (/sys/class/kfd) or else the display driver (/sys/class/drm) lists
 * them. Not both: each vendor numbers its own from 0. `root` stands in front of these paths: "" but
 * in tests. At most GPUS_MAX. *ret_vendor, which may be NULL: whose; GPU_VENDOR_COUNT: nobody's. */
uint32_t gpu_devices_count(const char *root, enum gpu_vendor *ret_vendor);

/* Whether there may be a GPU of a vendor whose GPUs batchd-gpu knows: else it has nothing to do. */
bool gpu_devices_any(const char *root);

#endif
