/* --nice, --io-priority, --pids and --cpu-bind: the members nice, io_priority, pids and cpu_bind of
 * a request. */
#ifndef BATCHD_CLIENT_LIMIT_OPTIONS_H
#define BATCHD_CLIENT_LIMIT_OPTIONS_H

#include "client/cli.h"

/* The rows of an option table. */
#define LIMIT_OPTIONS                                                                                     \
    {"nice", 0, "N",                                                                                      \
     "let others go before it where processors are short, 1 to 19 as nice(1); or none"},                  \
        {"io-priority", 0, "CLASS",                                                                       \
         "the same for disks, as ionice(1): idle, or best-effort:N with N from 0 (first) to 7; or none"}, \
        {"pids", 0, "N",                                                                                  \
         "processes and threads it has at most, where it has a control group; or none"},                  \
    {                                                                                                     \
        "cpu-bind", 0, "HOW", "cores: to as many processors of its own as its cpus; or none"              \
    }

bool limit_options_have(const char *name);
/* 0, or the exit code after reporting. */
int limit_options_take(json_t *request, const char *name, const char *value);

#endif
