/* Workers as replies show them (cmd_workers.c). */
#ifndef BATCHD_DAEMON_API_WORKERS_VIEW_H
#define BATCHD_DAEMON_API_WORKERS_VIEW_H

#include "daemon/api/verb.h"

/* All of them, in the order of their ids; what one runs is told to those who may see that job. With
 * `memory` each is looked at for what it has of that. */
json_t *view_workers(const struct api_call *call, bool memory);
/* How many there are to be, and why. */
json_t *view_scaling(const struct api *api);

#endif
