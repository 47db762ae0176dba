/* How an attempt ended, and what it used. Pure. */
#ifndef BATCHD_DAEMON_CORE_OUTCOME_H
#define BATCHD_DAEMON_CORE_OUTCOME_H

#include "common/job_usage.h"

#include <stdbool.h>
#include <stdint.h>

/* The words are the wire's (CLI.md). */
enum outcome_class {
    OUTCOME_NONE,
    OUTCOME_SUCCESS,
    OUTCOME_EXIT,
    OUTCOME_SIGNAL,
    OUTCOME_TIMEOUT,
    OUTCOME_OOM,
    OUTCOME_DISK_FULL,
    OUTCOME_LOST,
    OUTCOME_SPAWN,
    OUTCOME_CANCELLED,
    OUTCOME_PROCESSOR,
    OUTCOME_CLASS_COUNT
};

const char *outcome_class_word(enum outcome_class class);

struct outcome {
    enum outcome_class class;
    int exit_code; /* -1: there was none */
    int signal;    /* 0: there was none */
    bool planned;  /* of a lost one: its worker was told to end; not in the store */
    bool refused;  /* of a lost one: the machine had no room for its process, so nothing of it ran;
                    * not in the store */
    char message[200];
};

struct usage {
    uint64_t user_us, system_us, run_us, max_rss_bytes;
    uint64_t stdout_bytes, stderr_bytes, cut_bytes, lost_bytes;
    uint64_t read_bytes, written_bytes; /* of disks; not in the store */
    enum memory_source memory_source;   /* of max_rss_bytes */
};

#endif
