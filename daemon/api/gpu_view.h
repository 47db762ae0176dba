/* GPUs as replies show them: what the drivers tell of each, and which jobs use it. What is unknown
 * is null. */
#ifndef BATCHD_DAEMON_API_GPU_VIEW_H
#define BATCHD_DAEMON_API_GPU_VIEW_H

#include "daemon/api/verb.h"

/* Adds the members gpus and gpus_trouble. */
void view_gpus(const struct api_call *call, json_t *machine);

#endif
