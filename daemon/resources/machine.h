/* What this machine has. */
#ifndef BATCHD_DAEMON_RESOURCES_MACHINE_H
#define BATCHD_DAEMON_RESOURCES_MACHINE_H

#include <stdint.h>

uint32_t machine_cpus(void);         /* processors this process may use, at least 1 */
uint64_t machine_memory_bytes(void); /* physical memory */
/* Processes and threads that a job may have where nobody says: 15 percent of what there may be on
 * the machine, as systemd gives a unit. 0: it cannot be told. */
uint64_t machine_pids_of_a_job(void);
/* What a process has of it, the pages that it shares included; 0: it cannot be told. */
uint64_t machine_resident_bytes(uint32_t pid);

/* Asks the kernel for short slices of processor time: batchd works for fractions of a millisecond
 * and sleeps, and is then let in sooner beside busy jobs. Linux 6.12 and later heed it (EEVDF,
 * sched(7)); no right is needed, and children do not inherit it. */
void machine_ask_for_short_slices(void);

#endif
