/* What the program knows of itself, whatever it serves. */
#ifndef BATCHD_DAEMON_CORE_PROGRAM_H
#define BATCHD_DAEMON_CORE_PROGRAM_H

#include <stdint.h>

struct program {
    const char *commit; /* of the sources it was built from, or "unknown" */
    int64_t started_at;
};

#endif
