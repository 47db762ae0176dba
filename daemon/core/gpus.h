/* Which GPUs: a set of indices, 0 to 63, as the bits of a number. */
#ifndef BATCHD_DAEMON_CORE_GPUS_H
#define BATCHD_DAEMON_CORE_GPUS_H

#include <stdint.h>

#define GPUS_MAX 64U

/* The `count` lowest of the GPUs 0 to total - 1 that are not in `used`; fewer if there are not so
 * many. */
uint64_t gpus_lowest_free(uint64_t used, uint64_t count, uint64_t total);
/* "0,2,3"; "" for none. */
#define GPUS_TEXT_BYTES 192 /* three for each */
void gpus_format(uint64_t gpus, char ret[GPUS_TEXT_BYTES]);

#endif
