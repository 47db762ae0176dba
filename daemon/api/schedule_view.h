/* A schedule as JSON: the only place that makes it (io.batchd.Schedules.varlink). */
#ifndef BATCHD_DAEMON_API_SCHEDULE_VIEW_H
#define BATCHD_DAEMON_API_SCHEDULE_VIEW_H

#include "daemon/api/verb.h"

struct planned;

/* Its job is shown without its environment. */
json_t *view_schedule(const struct api *api, const struct planned *planned);

#endif
