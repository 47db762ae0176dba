/* The text of /metrics. Its series are bounded: queues beyond METRICS_QUEUES and users beyond what
 * is asked for are added up as "_other", which no queue is named. */
#ifndef BATCHD_DAEMON_API_METRICS_H
#define BATCHD_DAEMON_API_METRICS_H

#include "daemon/api/api.h"

#include <stdio.h>

#define METRICS_QUEUES 50U

/* users: of so many of them there are series by uid; 0: of none, and nothing tells of users. Names
 * are not asked for: that may mean to wait for a server. The caller frees. */
char *metrics_text(const struct api *api, uint32_t users, size_t *ret_bytes);

/* Its parts. */
void metrics_queues(FILE *out, const struct api *api);               /* metrics_queues.c */
void metrics_users(FILE *out, const struct api *api, uint32_t most); /* the same */
void metrics_machine(FILE *out, const struct api *api);              /* metrics_machine.c */
void metrics_daemon(FILE *out, const struct api *api);               /* metrics_daemon.c */

#endif
