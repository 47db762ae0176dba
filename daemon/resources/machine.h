/* What this machine has. */
#ifndef BATCHD_DAEMON_RESOURCES_MACHINE_H
#define BATCHD_DAEMON_RESOURCES_MACHINE_H

#include <stdint.h>

uint32_t machine_cpus(void);         /* processors this process may use, at least 1 */
uint64_t machine_memory_bytes(void); /* physical memory */

#endif
