/* The machine as replies show it: {sampled_at, cpu, load, memory, swap, pressure}; members of what
 * is unknown are null. */
#ifndef BATCHD_DAEMON_API_MACHINE_VIEW_H
#define BATCHD_DAEMON_API_MACHINE_VIEW_H

#include "daemon/resources/monitor.h"

#include <jansson.h>

/* A new reference. */
json_t *view_machine(const struct monitor *monitor);

#endif
