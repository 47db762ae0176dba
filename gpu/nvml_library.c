#include "gpu/nvml_library.h"

#include <dlfcn.h>
#include <stdio.h>

/* A name that newer libraries have, and what earlier ones called it. dlsym gives an object pointer
 * for a function, which POSIX lets one read as such. */
#define LOOK_UP(member, ...) \
    look_up(ret->handle, (void **)(member), (const char *[]){__VA_ARGS__, NULL})

/* Which of the names it is, from 0; the count of names: none. */
static unsigned look_up(void *handle, void **ret, const char *const *names)
{
    unsigned i = 0;
    *ret = NULL;
    while (names[i] != NULL && (*ret = dlsym(handle, names[i])) == NULL)
        i++;
    return i;
}

static void look_up_processes(struct nvml_library *ret)
{
    static const char *const words[NVML_PROCESS_KINDS] = {
        [NVML_COMPUTE] = "Compute", [NVML_GRAPHICS] = "Graphics", [NVML_MPS] = "MPSCompute"};
    for (unsigned kind = 0; kind < NVML_PROCESS_KINDS; kind++) {
        for (unsigned version = 3; version > 0 && ret->processes[kind] == NULL; version--) {
            char name[64], suffix[4] = "";
            if (version > 1)
                (void)snprintf(suffix, sizeof(suffix), "_v%u", version);
            (void)snprintf(name, sizeof(name), "nvmlDeviceGet%sRunningProcesses%s", words[kind],
                           suffix);
            (void)LOOK_UP(&ret->processes[kind], name);
            ret->process_version[kind] = version;
        }
    }
}

static void look_up_all(struct nvml_library *ret)
{
    (void)LOOK_UP(&ret->init, "nvmlInit_v2", "nvmlInit");
    (void)LOOK_UP(&ret->shutdown, "nvmlShutdown");
    (void)LOOK_UP(&ret->error_string, "nvmlErrorString");
    (void)LOOK_UP(&ret->count, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount");
    (void)LOOK_UP(&ret->at_index, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex");
    ret->pci_long = LOOK_UP(&ret->pci, "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2",
                            "nvmlDeviceGetPciInfo") == 0;
    (void)LOOK_UP(&ret->name, "nvmlDeviceGetName");
    (void)LOOK_UP(&ret->uuid, "nvmlDeviceGetUUID");
    (void)LOOK_UP(&ret->memory_v2, "nvmlDeviceGetMemoryInfo_v2");
    (void)LOOK_UP(&ret->memory_v1, "nvmlDeviceGetMemoryInfo");
    (void)LOOK_UP(&ret->utilization, "nvmlDeviceGetUtilizationRates");
    (void)LOOK_UP(&ret->temperature, "nvmlDeviceGetTemperature");
    look_up_processes(ret);
}

int nvml_library_load(const char *path, struct nvml_library *ret, struct error *err)
{
    struct nvml_library found = {.handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL)};
    if (found.handle == NULL)
        return error_set(err, ERROR_NOT_FOUND, "%s", dlerror());
    look_up_all(&found);
    if (found.init == NULL || found.count == NULL || found.at_index == NULL) {
        (void)dlclose(found.handle);
        return error_set(err, ERROR_NOT_FOUND,
                         "%s has no nvmlInit, nvmlDeviceGetCount or nvmlDeviceGetHandleByIndex",
                         path);
    }
    *ret = found;
    return 0;
}

void nvml_library_close(struct nvml_library *library)
{
    if (library->handle != NULL)
        (void)dlclose(library->handle);
    *library = (struct nvml_library){.handle = NULL};
}

void nvml_result_text(const struct nvml_library *library, int result, char *ret, size_t bytes)
{
    const char *text = library->error_string == NULL ? NULL : library->error_string(result);
    if (text == NULL)
        (void)snprintf(ret, bytes, "NVML error %d", result);
    else
        (void)snprintf(ret, bytes, "%s", text);
}
