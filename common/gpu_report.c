#include "common/gpu_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const gpu_vendor_words[GPU_VENDOR_COUNT] = {
    [GPU_NVIDIA] = "nvidia", [GPU_AMD] = "amd", [GPU_INTEL] = "intel"};

static void put_process(struct record_writer *writer, const struct gpu_process *process)
{
    record_put_u64(writer, process->pid);
    record_put_u64(writer, process->worker);
    record_put_u64(writer, process->memory_bytes);
    record_put_u64(writer, process->busy_percent);
    record_put_string(writer, process->name);
}

static void put_facts(struct record_writer *writer, const struct gpu_facts *gpu)
{
    record_put_u8(writer, (uint8_t)gpu->vendor);
    record_put_string(writer, gpu->name);
    record_put_string(writer, gpu->uuid);
    record_put_string(writer, gpu->pci);
    record_put_string(writer, gpu->fault);
    record_put_u64(writer, gpu->memory_total_bytes);
    record_put_u64(writer, gpu->memory_used_bytes);
    record_put_u64(writer, gpu->busy_percent);
    record_put_u64(writer, gpu->temperature);
    record_put_u64(writer, gpu->numa_node);
    record_put_u64(writer, gpu->process_count);
    record_put_u8(writer, gpu->processes_partial);
    record_put_u32(writer, gpu->listed);
    for (uint32_t i = 0; i < gpu->listed; i++)
        put_process(writer, &gpu->process[i]);
}

void put_gpu_report(struct record_writer *writer, const struct gpu_report *report)
{
    record_begin(writer, MESSAGE_GPU_REPORT);
    record_put_string(writer, report->trouble);
    record_put_u32(writer, report->count);
    for (uint32_t i = 0; i < report->count; i++)
        put_facts(writer, &report->gpu[i]);
    record_end(writer);
}

/* What is no text, or too long, fails the record. Names come from drivers and programs: what is not
 * plain is shown as "?". */
static void get_text(struct record *record, char *ret, size_t bytes)
{
    char *text = record_get_string(record, bytes - 1);
    record->failed |= text == NULL;
    (void)snprintf(ret, bytes, "%s", text == NULL ? "" : text);
    for (char *c = ret; *c != '\0'; c++)
        *c = *c < 0x20 || *c > 0x7e ? '?' : *c;
    free(text);
}

static void get_process(struct record *record, struct gpu_process *ret)
{
    ret->pid = record_get_u64(record);
    ret->worker = record_get_u64(record);
    ret->memory_bytes = record_get_u64(record);
    ret->busy_percent = record_get_u64(record);
    get_text(record, ret->name, sizeof(ret->name));
}

static void get_facts(struct record *record, struct gpu_facts *ret)
{
    const uint8_t vendor = record_get_u8(record);
    record->failed |= vendor >= GPU_VENDOR_COUNT;
    ret->vendor = (enum gpu_vendor)vendor;
    get_text(record, ret->name, sizeof(ret->name));
    get_text(record, ret->uuid, sizeof(ret->uuid));
    get_text(record, ret->pci, sizeof(ret->pci));
    get_text(record, ret->fault, sizeof(ret->fault));
    ret->memory_total_bytes = record_get_u64(record);
    ret->memory_used_bytes = record_get_u64(record);
    ret->busy_percent = record_get_u64(record);
    ret->temperature = record_get_u64(record);
    ret->numa_node = record_get_u64(record);
    ret->process_count = record_get_u64(record);
    ret->processes_partial = record_get_u8(record) != 0;
    ret->listed = record_get_u32(record);
    record->failed |= ret->listed > GPU_REPORT_PROCESSES;
    for (uint32_t i = 0; i < ret->listed && !record->failed; i++)
        get_process(record, &ret->process[i]);
}

int get_gpu_report(struct record *record, struct gpu_report *ret)
{
    memset(ret, 0, sizeof(*ret));
    get_text(record, ret->trouble, sizeof(ret->trouble));
    ret->count = record_get_u32(record);
    record->failed |= ret->count > GPU_REPORT_GPUS;
    for (uint32_t i = 0; i < ret->count && !record->failed; i++)
        get_facts(record, &ret->gpu[i]);
    return record_complete(record) ? 0 : -1;
}
