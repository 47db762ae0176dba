/* What of the memory that jobs may be given is not there for them, since others have it: other
 * programs, what jobs took beyond what they asked for, and what those took that asked for nothing.
 * Memory that jobs asked for and have not taken yet is kept for them, so a job starts only when
 * what it asks for is available beside that. Pure: figures come in, the answer goes out. */
#ifndef BATCHD_DAEMON_CORE_HEADROOM_H
#define BATCHD_DAEMON_CORE_HEADROOM_H

#include <stdint.h>

/* All in bytes, of one moment. */
struct headroom {
    uint64_t promised;  /* what jobs may be given in all (resources.memory) */
    uint64_t installed; /* what the machine has */
    uint64_t available; /* of it (MemAvailable) */
    uint64_t taken;     /* by jobs, of each no more than it asked for; 0 where it is not known */
};

/* 0 where more is promised than is installed: then the numbers that jobs ask for are no bytes of
 * this machine's memory, as of one that swaps on purpose. */
uint64_t headroom_elsewhere(const struct headroom *headroom);

#endif
