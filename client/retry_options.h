/* --backoff, --jitter and --retry-on: the member `retry` of a request. */
#ifndef BATCHD_CLIENT_RETRY_OPTIONS_H
#define BATCHD_CLIENT_RETRY_OPTIONS_H

#include "client/cli.h"

/* The rows of an option table. */
#define RETRY_OPTIONS                                                                                 \
    {"backoff", 0, "BASE[:F[:CAP]]",                                                                  \
     "wait BASE before it is tried again, then F times as long each time, CAP at most; or "           \
     "none (default: 1s:2:1h)"},                                                                      \
        {"jitter", 0, "KIND", "spread these waits: none, full (from 0) or equal (from half)"},        \
    {                                                                                                 \
        "retry-on", 0, "CLASS,...",                                                                   \
            "try again after these ends alone: exit, exit:N, signal, timeout, oom, disk_full, lost, " \
            "spawn, processor; or default, failures or none (see RETRIES)"                            \
    }

bool retry_options_have(const char *name);
/* 0, or the exit code after reporting. */
int retry_options_take(json_t *request, const char *name, const char *value);

#endif
