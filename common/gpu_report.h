/* What batchd-gpu tells batchd of the machine's GPUs: one record (record.h) for each look. What
 * nobody could tell is GPU_UNKNOWN or an empty text, which is no error: cards and drivers leave
 * much out. Fixed sizes: whoever reads trusts no length of the other side. */
#ifndef BATCHD_COMMON_GPU_REPORT_H
#define BATCHD_COMMON_GPU_REPORT_H

#include "common/record.h"

#include <stdbool.h>

/* As many as a job's set of GPUs has bits (daemon/core/gpus.h). */
#define GPU_REPORT_GPUS 64U
/* Of one GPU; what is more is counted and not listed. */
#define GPU_REPORT_PROCESSES 64U
#define GPU_UNKNOWN UINT64_MAX

enum gpu_vendor { GPU_NVIDIA, GPU_AMD, GPU_INTEL, GPU_VENDOR_COUNT };
extern const char *const gpu_vendor_words[GPU_VENDOR_COUNT]; /* "nvidia" */

struct gpu_process {
    uint64_t pid;
    uint64_t worker; /* the worker of this batchd that it descends from; GPU_UNKNOWN: of none */
    uint64_t memory_bytes;
    uint64_t busy_percent; /* as below, of what it kept busy itself */
    char name[16];         /* as the kernel has it (comm) */
};

struct gpu_facts {
    enum gpu_vendor vendor;
    char name[96], uuid[96];
    char pci[32];   /* as /sys has it: "0000:65:00.0"; what tells one GPU from the others */
    char fault[96]; /* it does not work, and why; "": it does */
    uint64_t memory_total_bytes, memory_used_bytes;
    uint64_t busy_percent;  /* of the time since the look before */
    uint64_t temperature;   /* degrees Celsius */
    uint64_t numa_node;     /* the one it is near to */
    uint64_t process_count; /* GPU_UNKNOWN: which there are cannot be told */
    bool processes_partial; /* there may be others, which may not be looked into */
    uint32_t listed;        /* of them, below */
    struct gpu_process process[GPU_REPORT_PROCESSES];
};

struct gpu_report {
    char trouble[160]; /* why some of what there may be was not looked at; "": all was */
    uint32_t count;
    struct gpu_facts gpu[GPU_REPORT_GPUS]; /* by vendor, then by the order of the bus */
};

/* The question: u32, after so many seconds (1 to 3600) without an answer batchd-gpu ends itself. */
#define MESSAGE_GPU_LOOK 0x70U
#define GPU_LOOK_BYTES (RECORD_HEADER_BYTES + sizeof(uint32_t))
#define GPU_LOOK_SECONDS_MAX 3600U
#define MESSAGE_GPU_REPORT 0x71U

void put_gpu_report(struct record_writer *writer, const struct gpu_report *report);
/* 0, or -1: it is none. */
int get_gpu_report(struct record *record, struct gpu_report *ret);

static inline bool gpu_known(uint64_t value)
{
    return value != GPU_UNKNOWN;
}

#endif
