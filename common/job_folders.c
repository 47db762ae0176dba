#include "common/job_folders.h"

void put_job_folders(struct record_writer *writer, uint16_t type, const struct job_folders *folders)
{
    record_begin(writer, type);
    record_put_u32(writer, folders->count);
    for (uint32_t i = 0; i < folders->count; i++)
        record_put_u64(writer, folders->ids[i]);
    record_put_u64(writer, folders->removed);
    record_put_u64(writer, folders->failed);
    record_end(writer);
}

int get_job_folders(struct record *record, struct job_folders *ret)
{
    *ret = (struct job_folders){.count = record_get_u32(record)};
    if (ret->count > JOB_FOLDERS_MAX)
        return -1;
    for (uint32_t i = 0; i < ret->count; i++)
        ret->ids[i] = record_get_u64(record);
    ret->removed = record_get_u64(record);
    ret->failed = record_get_u64(record);
    return record_complete(record) ? 0 : -1;
}
