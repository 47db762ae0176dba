#include "common/job_limits.h"

#include <stdio.h>
#include <string.h>

bool job_limits_any(const struct job_limits *limits)
{
    return (limits->pids | limits->memory_high_bytes | limits->open_files | limits->file_bytes) !=
               0 ||
           (limits->cpu_weight | limits->io_weight) != 0 ||
           (limits->nice | limits->io_priority | limits->has_swap | limits->bounds_data) != 0;
}

void job_limits_put(struct record_writer *writer, const struct job_limits *limits)
{
    record_put_u64(writer, limits->pids);
    record_put_u64(writer, limits->memory_high_bytes);
    record_put_u64(writer, limits->swap_bytes);
    record_put_u64(writer, limits->open_files);
    record_put_u64(writer, limits->file_bytes);
    record_put_u32(writer, limits->cpu_weight);
    record_put_u32(writer, limits->io_weight);
    record_put_u8(writer, limits->nice);
    record_put_u8(writer, limits->io_priority);
    record_put_u8(writer, limits->has_swap);
    record_put_u8(writer, limits->bounds_data);
}

void job_limits_get(struct record *record, struct job_limits *ret)
{
    ret->pids = record_get_u64(record);
    ret->memory_high_bytes = record_get_u64(record);
    ret->swap_bytes = record_get_u64(record);
    ret->open_files = record_get_u64(record);
    ret->file_bytes = record_get_u64(record);
    ret->cpu_weight = record_get_u32(record);
    ret->io_weight = record_get_u32(record);
    ret->nice = record_get_u8(record);
    ret->io_priority = record_get_u8(record);
    ret->has_swap = record_get_u8(record);
    ret->bounds_data = record_get_u8(record);
}

/* ---- words ---- */

static const char best_effort[] = "best-effort:";

int job_io_priority_parse(const char *text, uint8_t *ret, struct error *err)
{
    const size_t length = sizeof(best_effort) - 1;
    if (strcmp(text, "none") == 0) {
        *ret = JOB_IO_NONE;
        return 0;
    }
    if (strcmp(text, "idle") == 0) {
        *ret = JOB_IO_IDLE;
        return 0;
    }
    if (strncmp(text, best_effort, length) == 0 && text[length] >= '0' && text[length] <= '7' &&
        text[length + 1] == '\0') {
        *ret = (uint8_t)(JOB_IO_BEST_EFFORT + (unsigned)(text[length] - '0'));
        return 0;
    }
    return error_set(err, ERROR_INVALID,
                     "\"%.40s\" must be none, idle, or best-effort:N with N from 0 (first) to 7",
                     text);
}

void job_io_priority_format(uint8_t priority, char ret[JOB_IO_PRIORITY_BYTES])
{
    if (priority >= JOB_IO_BEST_EFFORT && priority < JOB_IO_IDLE)
        (void)snprintf(ret, JOB_IO_PRIORITY_BYTES, "%s%u", best_effort,
                       priority - JOB_IO_BEST_EFFORT);
    else
        (void)snprintf(ret, JOB_IO_PRIORITY_BYTES, "%s", priority == JOB_IO_NONE ? "none" : "idle");
}
