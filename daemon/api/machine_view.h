/* The machine as replies show it: {sampled_at, cpu, load, memory, swap, pressure, power,
 * stops, opening}; what is
 * unknown is null; stops are the figures that keep jobs from starting. */
#ifndef BATCHD_DAEMON_API_MACHINE_VIEW_H
#define BATCHD_DAEMON_API_MACHINE_VIEW_H

#include "daemon/core/admission.h"
#include "daemon/resources/monitor.h"

#include <jansson.h>

struct engine;

/* A new reference. */
json_t *view_machine(const struct monitor *monitor, const struct admission *admission);
/* File systems that jobs write to. A new reference. */
json_t *view_volumes(const struct engine *engine);

#endif
