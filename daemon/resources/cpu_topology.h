/* How the kernel says that this machine's processors lie: which are threads of one core, which
 * memory they are near to, and which a device is near to. `root` stands in front of /sys: "" but in
 * tests. What cannot be read is no error: then each processor is a core, all are of one node, and a
 * device is near to none. */
#ifndef BATCHD_DAEMON_RESOURCES_CPU_TOPOLOGY_H
#define BATCHD_DAEMON_RESOURCES_CPU_TOPOLOGY_H

#include "daemon/core/cpu_layout.h"

/* Usable are those that this process may use (sched_getaffinity(2)) and that are online. */
void cpu_topology_read(const char *root, struct cpu_layout *ret);
/* Leaves in the list what is so now. */
void cpu_topology_keep_usable(const char *root, struct cpu_list *list);
/* Adds those that the PCI device at this address ("0000:65:00.0") is near to: its local_cpulist. */
void cpu_topology_add_near(const char *root, const char *pci, struct cpu_list *list);

#endif
