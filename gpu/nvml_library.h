/* NVIDIA's management library, loaded at run time: a machine without it is no error, and of what it
 * offers every call may be missing. Each call may hang on a broken driver. */
#ifndef BATCHD_GPU_NVML_LIBRARY_H
#define BATCHD_GPU_NVML_LIBRARY_H

#include "common/error.h"
#include "gpu/nvml_abi.h"

#include <stdbool.h>
#include <stddef.h>

enum nvml_process_kind { NVML_COMPUTE, NVML_GRAPHICS, NVML_MPS, NVML_PROCESS_KINDS };

typedef int (*nvml_processes_fn)(nvml_device device, unsigned *count, void *records);

/* NULL: the library does not have it. */
struct nvml_library {
    void *handle;
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int result);
    int (*count)(unsigned *ret);
    int (*at_index)(unsigned index, nvml_device *ret);
    int (*pci)(nvml_device device, struct nvml_pci *ret);
    bool pci_long; /* of version 3: it fills bus_id */
    int (*name)(nvml_device device, char *ret, unsigned bytes);
    int (*uuid)(nvml_device device, char *ret, unsigned bytes);
    int (*memory_v2)(nvml_device device, struct nvml_memory_v2 *ret);
    int (*memory_v1)(nvml_device device, struct nvml_memory_v1 *ret);
    int (*utilization)(nvml_device device, struct nvml_utilization *ret);
    int (*temperature)(nvml_device device, unsigned sensor, unsigned *ret);
    nvml_processes_fn processes[NVML_PROCESS_KINDS];
    unsigned process_version[NVML_PROCESS_KINDS]; /* 1, 2 or 3 */
};

/* "libnvidia-ml.so.1", where the loader finds it, or a path. ERROR_NOT_FOUND: it is not there, or
 * lacks what nothing can be done without. */
int nvml_library_load(const char *path, struct nvml_library *ret, struct error *err);
void nvml_library_close(struct nvml_library *library);
/* The library's own words for a result, or its number. */
void nvml_result_text(const struct nvml_library *library, int result, char *ret, size_t bytes);

#endif
