/* The GPUs of NVIDIA, by their management library. */
#ifndef BATCHD_GPU_NVML_H
#define BATCHD_GPU_NVML_H

#include "common/gpu_report.h"
#include "gpu/look.h"

struct nvml;

/* `path` as nvml_library_load's; borrowed. Nothing is loaded before the first look. */
struct nvml *nvml_new(const char *path, bool required);
void nvml_free(struct nvml *nvml); /* NULL is allowed */
/* Adds what there is to the report; what is missing or fails goes into its words (trouble, fault).
 * Where the library is not `required` it is no trouble that it is not there. May hang. */
void nvml_look(struct nvml *nvml, const struct look *look, struct gpu_report *report);

#endif
