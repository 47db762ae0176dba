/* What a job that runs uses, as its worker tells it now and then. */
#ifndef BATCHD_COMMON_JOB_USAGE_H
#define BATCHD_COMMON_JOB_USAGE_H

#include "common/record.h"

#include <stdint.h>

/* What a peak of memory is by: the most precise last. The numbers are in the store. */
enum memory_source {
    MEMORY_UNKNOWN, /* of before this was kept */
    MEMORY_PROCESS, /* the most that one of its processes had (ru_maxrss of getrusage(2)) */
    MEMORY_SAMPLED, /* the most that all of them were seen to have, by looks now and then */
    MEMORY_GROUP,   /* the most that its control group had, as the kernel counts it */
    MEMORY_SOURCE_COUNT
};

struct job_usage {
    uint64_t cpu_us;       /* of all its processes, ended ones too */
    uint64_t memory_bytes; /* now */
    uint64_t peak_bytes;   /* so far */
    uint32_t processes;    /* with their threads in a control group, else processes */
    uint32_t cpu_permille; /* of one processor, since the look before */
    uint8_t source;        /* enum memory_source of the peak */
};

/* 0 where the part is more: both were not counted at once, and something may have gone meanwhile.
 */
static inline uint64_t usage_without(uint64_t all, uint64_t part)
{
    return all > part ? all - part : 0;
}

/* As part of a record. */
void job_usage_put(struct record_writer *writer, const struct job_usage *usage);
void job_usage_get(struct record *record, struct job_usage *ret);

/* "group"; NULL for what is not known. */
const char *memory_source_word(enum memory_source source);

#endif
