/* Which processors a job gets that is bound to some of its own. Pure. */
#ifndef BATCHD_DAEMON_CORE_CPU_LAYOUT_H
#define BATCHD_DAEMON_CORE_CPU_LAYOUT_H

#include "common/cpu_list.h"

/* How the processors lie that jobs may be bound to (resources/cpu_topology.h). */
struct cpu_layout {
    struct cpu_list usable;
    uint16_t core[CPU_LIST_MAX]; /* the least processor of its core: those of one are alike */
    uint16_t node[CPU_LIST_MAX]; /* of its memory; all below CPU_LIST_MAX */
};

/* `count` of those that are usable and not `taken`, fewer if there are not so many. First of those
 * in `near` (what is near the job's GPUs; may be empty, or all, as of a device that is on no node),
 * then of the rest; of each from one node if one has so many, where it shares no core with another
 * job if there is such a one, and of these the one that has the least left, so that others stay
 * whole; else from as few nodes as it takes. Within these: whole cores, then of cores that nobody
 * has, then beside others. */
void cpu_layout_choose(const struct cpu_layout *layout, const struct cpu_list *taken,
                       const struct cpu_list *near, uint32_t count, struct cpu_list *ret);

#endif
