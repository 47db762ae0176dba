#include "gpu/nvml_processes.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "gpu/process.h"

#include <stdlib.h>
#include <string.h>

/* Processes come between the question how many there are and the one which. */
#define MORE 8U
#define TRIES_MAX 4U
#define COUNT_MAX 65536U
/* PID_MAX_LIMIT of Linux. */
#define PID_MOST (UINT32_C(1) << 22U)

static struct nvml_process record_at(const uint8_t *records, unsigned stride, unsigned i)
{
    struct nvml_process process;
    memcpy(&process, records + (size_t)stride * i, sizeof(process));
    return process;
}

/* How long each record of version 2 or 3 is, from what was written over 0xff. The larger ones reach
 * further, unless their last field is all ones; then, read as the smaller ones, the pids are none.
 */
static unsigned stride_of(const uint8_t *records, unsigned count)
{
    const size_t small = (size_t)NVML_PROCESS_BYTES * count;
    const size_t large = (size_t)NVML_PROCESS_ODD_BYTES * count;
    for (size_t i = small; i < large; i++) {
        if (records[i] != 0xff)
            return NVML_PROCESS_ODD_BYTES;
    }
    for (unsigned i = 0; i < count; i++) {
        const uint32_t pid = record_at(records, NVML_PROCESS_BYTES, i).pid;
        if (pid == 0 || pid > PID_MOST)
            return NVML_PROCESS_ODD_BYTES;
    }
    return NVML_PROCESS_BYTES;
}

/* Owned by the caller; NULL: they cannot be had. The first answer says how many there are. */
static uint8_t *fetch(nvml_processes_fn call, nvml_device device, unsigned *ret_count)
{
    unsigned count = 0;
    int result = call(device, &count, NULL);
    for (unsigned i = 0; i < TRIES_MAX && result == NVML_INSUFFICIENT_SIZE && count < COUNT_MAX;
         i++) {
        count += MORE;
        const unsigned room = count;
        CLEANUP_FREE uint8_t *records = xcalloc(count, NVML_PROCESS_ODD_BYTES);
        memset(records, 0xff, (size_t)count * NVML_PROCESS_ODD_BYTES);
        result = call(device, &count, records);
        if (result == NVML_SUCCESS && count <= room) {
            *ret_count = count;
            return TAKE_PTR(records);
        }
    }
    *ret_count = 0;
    return result == NVML_SUCCESS ? xcalloc(1, 1) : NULL;
}

static void look_at(nvml_processes_fn call, unsigned version, nvml_device device,
                    const struct look *look, struct gpu_facts *gpu)
{
    unsigned count = 0;
    CLEANUP_FREE uint8_t *records = fetch(call, device, &count);
    if (records == NULL)
        return;
    if (!gpu_known(gpu->process_count))
        gpu->process_count = 0;
    const unsigned stride = version == 1 ? NVML_PROCESS_V1_BYTES : stride_of(records, count);
    for (unsigned i = 0; i < count; i++) {
        const struct nvml_process process = record_at(records, stride, i);
        const struct process_load load = {.memory_bytes = process.memory,
                                          .busy_percent = GPU_UNKNOWN};
        if (process.pid > 0 && process.pid <= PID_MOST)
            process_add(look, gpu, process.pid, &load);
    }
}

void nvml_processes_look(const struct nvml_library *library, nvml_device device,
                         const struct look *look, struct gpu_facts *gpu)
{
    for (unsigned kind = 0; kind < NVML_PROCESS_KINDS; kind++) {
        if (library->processes[kind] != NULL)
            look_at(library->processes[kind], library->process_version[kind], device, look, gpu);
    }
}
