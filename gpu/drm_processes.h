/* The processes on GPUs of AMD and Intel, by /proc/PID/fdinfo. The kernel shows that of one's own
 * user's processes, and of others' to who may trace them: so there may be more. */
#ifndef BATCHD_GPU_DRM_PROCESSES_H
#define BATCHD_GPU_DRM_PROCESSES_H

#include "gpu/look.h"

struct drm_processes;

struct drm_processes *drm_processes_new(void);
void drm_processes_free(struct drm_processes *processes);

/* Adds them to the GPUs of the report from the `first` on; where a driver does not tell a GPU's
 * memory in use, or how busy it is, it is what these processes have and do. */
void drm_processes_look(struct drm_processes *processes, const struct look *look,
                        struct gpu_report *report, uint32_t first);

#endif
