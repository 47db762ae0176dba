/* The folders of jobs that are removed (STATE/jobs/ID), as batchd asks the spawner, whose they are,
 * to remove them: by ids, never by paths. A request is worked on for a bounded time; what is in
 * neither set of the answer is to be asked for again. */
#ifndef BATCHD_COMMON_JOB_FOLDERS_H
#define BATCHD_COMMON_JOB_FOLDERS_H

#include "common/record.h"

#define JOB_FOLDERS_MAX 64U

struct job_folders {
    uint32_t count;
    uint64_t ids[JOB_FOLDERS_MAX];
    /* Of the answer, the bit of ids[i] is 1 << i. */
    uint64_t removed; /* gone, or never there */
    uint64_t failed;  /* it could not be removed, and may be later */
};

/* As the codecs of worker_protocol.h: MESSAGE_REMOVE_JOBS and MESSAGE_JOBS_REMOVED. */
void put_job_folders(struct record_writer *writer, uint16_t type,
                     const struct job_folders *folders);
int get_job_folders(struct record *record, struct job_folders *ret);

#endif
