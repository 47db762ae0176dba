#include "gpu/nvml.h"

#include "common/alloc.h"
#include "gpu/nvml_processes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nvml {
    const char *path;
    bool required;
    struct nvml_library library;
    bool begun; /* nvmlInit went well */
};

struct nvml *nvml_new(const char *path, bool required)
{
    struct nvml *nvml = xcalloc(1, sizeof(*nvml));
    *nvml = (struct nvml){.path = path, .required = required};
    return nvml;
}

/* So that the next look begins anew: what changed meanwhile (a driver, a GPU that is back) is seen.
 */
static void end(struct nvml *nvml)
{
    if (nvml->begun && nvml->library.shutdown != NULL)
        (void)nvml->library.shutdown();
    nvml->begun = false;
    nvml_library_close(&nvml->library);
}

void nvml_free(struct nvml *nvml)
{
    if (nvml == NULL)
        return;
    end(nvml);
    free(nvml);
}

static bool begin(struct nvml *nvml, struct gpu_report *report)
{
    struct error err;
    char text[128];
    if (nvml->begun)
        return true;
    if (nvml_library_load(nvml->path, &nvml->library, &err) < 0) {
        if (nvml->required)
            (void)snprintf(report->trouble, sizeof(report->trouble), "%.159s", err.text);
        return false;
    }
    const int result = nvml->library.init();
    nvml->begun = result == NVML_SUCCESS;
    if (!nvml->begun) {
        nvml_result_text(&nvml->library, result, text, sizeof(text));
        (void)snprintf(report->trouble, sizeof(report->trouble), "nvmlInit: %s", text);
        nvml_library_close(&nvml->library);
    }
    return nvml->begun;
}

/* Results that mean that no job should be given it; what is merely not supported is unknown. */
static void note_fault(const struct nvml *nvml, int result, const char *call, struct gpu_facts *gpu)
{
    char text[64];
    if (gpu->fault[0] != '\0' || (result != NVML_GPU_IS_LOST && result != NVML_RESET_REQUIRED &&
                                  result != NVML_UNKNOWN_ERROR))
        return;
    nvml_result_text(&nvml->library, result, text, sizeof(text));
    (void)snprintf(gpu->fault, sizeof(gpu->fault), "%s: %s", call, text);
}

/* The library has "00000000:65:00.0", /sys "0000:65:00.0"; both are there in capitals, too. */
static void look_at_bus(const struct nvml *nvml, nvml_device device, const struct look *look,
                        struct gpu_facts *gpu)
{
    struct nvml_pci pci = {.domain = 0};
    if (nvml->library.pci == NULL || nvml->library.pci(device, &pci) != NVML_SUCCESS)
        return;
    (void)snprintf(gpu->pci, sizeof(gpu->pci), "%04x:%02x:%02x.0", pci.domain & 0xffffffU,
                   pci.bus & 0xffU, pci.device & 0xffU);
    gpu->numa_node = look_numa_node(look, gpu->pci);
}

static void look_at_memory(const struct nvml *nvml, nvml_device device, struct gpu_facts *gpu)
{
    const struct nvml_library *library = &nvml->library;
    struct nvml_memory_v2 new = {.version = (uint32_t)NVML_MEMORY_V2};
    struct nvml_memory_v1 old = {.total = 0};
    int result = NVML_NOT_SUPPORTED;
    if (library->memory_v2 != NULL)
        result = library->memory_v2(device, &new);
    if (result == NVML_SUCCESS) {
        old = (struct nvml_memory_v1){.total = new.total, .used = new.used};
    } else if (library->memory_v1 != NULL) {
        note_fault(nvml, result, "nvmlDeviceGetMemoryInfo_v2", gpu);
        result = library->memory_v1(device, &old);
    }
    note_fault(nvml, result, "nvmlDeviceGetMemoryInfo", gpu);
    if (result != NVML_SUCCESS ||
        old.total == 0) /* of memory shared with the processors there is none */
        return;
    gpu->memory_total_bytes = old.total;
    gpu->memory_used_bytes = old.used <= old.total ? old.used : old.total;
}

static void look_at_load(const struct nvml *nvml, nvml_device device, struct gpu_facts *gpu)
{
    const struct nvml_library *library = &nvml->library;
    struct nvml_utilization utilization = {.gpu = 0};
    unsigned degrees = 0;
    if (library->utilization != NULL) {
        const int result = library->utilization(device, &utilization);
        note_fault(nvml, result, "nvmlDeviceGetUtilizationRates", gpu);
        if (result == NVML_SUCCESS && utilization.gpu <= 100)
            gpu->busy_percent = utilization.gpu;
    }
    if (library->temperature != NULL &&
        library->temperature(device, NVML_TEMPERATURE_GPU, &degrees) == NVML_SUCCESS &&
        degrees < 1000)
        gpu->temperature = degrees;
}

static void look_at_texts(const struct nvml *nvml, nvml_device device, struct gpu_facts *gpu)
{
    const struct nvml_library *library = &nvml->library;
    if (library->name == NULL ||
        library->name(device, gpu->name, sizeof(gpu->name) - 1) != NVML_SUCCESS)
        (void)snprintf(gpu->name, sizeof(gpu->name), "NVIDIA GPU");
    if (library->uuid == NULL ||
        library->uuid(device, gpu->uuid, sizeof(gpu->uuid) - 1) != NVML_SUCCESS)
        gpu->uuid[0] = '\0';
}

/* One that has no handle is there, and does not work: its place is kept. */
static void look_at_gpu(struct nvml *nvml, unsigned index, const struct look *look,
                        struct gpu_report *report)
{
    nvml_device device = NULL;
    char text[64];
    struct gpu_facts *gpu = look_add(report, GPU_NVIDIA);
    if (gpu == NULL)
        return;
    const int result = nvml->library.at_index(index, &device);
    if (result != NVML_SUCCESS) {
        nvml_result_text(&nvml->library, result, text, sizeof(text));
        (void)snprintf(gpu->fault, sizeof(gpu->fault), "nvmlDeviceGetHandleByIndex: %s", text);
        return;
    }
    look_at_bus(nvml, device, look, gpu);
    look_at_texts(nvml, device, gpu);
    look_at_memory(nvml, device, gpu);
    look_at_load(nvml, device, gpu);
    nvml_processes_look(&nvml->library, device, look, gpu);
}

void nvml_look(struct nvml *nvml, const struct look *look, struct gpu_report *report)
{
    unsigned count = 0;
    bool fault = false;
    const uint32_t first = report->count;
    char text[96];
    if (!begin(nvml, report))
        return;
    const int result = nvml->library.count(&count);
    if (result != NVML_SUCCESS) {
        nvml_result_text(&nvml->library, result, text, sizeof(text));
        (void)snprintf(report->trouble, sizeof(report->trouble), "nvmlDeviceGetCount: %s", text);
        end(nvml);
        return;
    }
    for (unsigned i = 0; i < count && i < GPU_REPORT_GPUS; i++)
        look_at_gpu(nvml, i, look, report);
    for (uint32_t i = first; i < report->count; i++)
        fault |= report->gpu[i].fault[0] != '\0';
    if (fault)
        end(nvml);
}
