/* The binary interface of NVIDIA's management library, as far as it is used: written down from its
 * public reference (NVML API Reference Guide), since the library is loaded at run time and its
 * header is not there. Sizes matter: versions of a call differ in the records they write. */
#ifndef BATCHD_GPU_NVML_ABI_H
#define BATCHD_GPU_NVML_ABI_H

#include <stdint.h>

/* nvmlReturn_t */
#define NVML_SUCCESS 0
#define NVML_NOT_SUPPORTED 3
#define NVML_INSUFFICIENT_SIZE 7
#define NVML_GPU_IS_LOST 15
#define NVML_RESET_REQUIRED 16
#define NVML_UNKNOWN_ERROR 999

#define NVML_TEMPERATURE_GPU 0U
#define NVML_NAME_BYTES 96U

typedef void *nvml_device;

/* nvmlPciInfo_t of version 3. Earlier ones are shorter, with the same beginning and without the
 * second name of the bus. The library writes up to what it thinks the record has. */
struct nvml_pci {
    char bus_id_short[16];
    uint32_t domain, bus, device, pci_device, pci_subsystem;
    char bus_id[32];
    char room[64];
};

/* nvmlMemory_t; from driver R510 on `used` has what the driver keeps for itself. */
struct nvml_memory_v1 {
    uint64_t total, free, used;
};

/* nvmlMemory_v2_t; `version` is its size with 2 in the highest byte. */
struct nvml_memory_v2 {
    uint32_t version;
    uint64_t total, reserved, free, used;
};
#define NVML_MEMORY_V2 (sizeof(struct nvml_memory_v2) | 2U << 24U)

struct nvml_utilization {
    uint32_t gpu, memory; /* percent */
};

/* nvmlProcessInfo_t begins so in every version: 16 bytes are all of version 1; 2 and 3 have two
 * more numbers, 24 bytes. Drivers R535 before 535.104.05 wrote 32 for version 3
 * (github.com/XuehaiPan/ nvitop pull 79). */
struct nvml_process {
    uint32_t pid;
    uint64_t memory; /* all ones: not available */
};
#define NVML_PROCESS_V1_BYTES 16U
#define NVML_PROCESS_BYTES 24U
#define NVML_PROCESS_ODD_BYTES 32U

#endif
