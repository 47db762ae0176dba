#include "common/job_usage.h"

#include <stddef.h>

void job_usage_put(struct record_writer *writer, const struct job_usage *usage)
{
    record_put_u64(writer, usage->cpu_us);
    record_put_u64(writer, usage->memory_bytes);
    record_put_u64(writer, usage->peak_bytes);
    record_put_u32(writer, usage->processes);
    record_put_u32(writer, usage->cpu_permille);
    record_put_u8(writer, usage->source);
}

void job_usage_get(struct record *record, struct job_usage *ret)
{
    ret->cpu_us = record_get_u64(record);
    ret->memory_bytes = record_get_u64(record);
    ret->peak_bytes = record_get_u64(record);
    ret->processes = record_get_u32(record);
    ret->cpu_permille = record_get_u32(record);
    ret->source = record_get_u8(record);
}

const char *memory_source_word(enum memory_source source)
{
    static const char *const words[MEMORY_SOURCE_COUNT] = {
        [MEMORY_PROCESS] = "process", [MEMORY_SAMPLED] = "sampled", [MEMORY_GROUP] = "group"};
    return (unsigned)source < MEMORY_SOURCE_COUNT ? words[source] : NULL;
}
