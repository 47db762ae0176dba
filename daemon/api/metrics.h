/* The text of /metrics. Its series are bounded: queues beyond METRICS_QUEUES and users beyond what
 * is asked for are added up as "_other", which no queue is named. */
#ifndef BATCHD_DAEMON_API_METRICS_H
#define BATCHD_DAEMON_API_METRICS_H

#include "daemon/api/api.h"
#include "daemon/core/meters.h"

#include <stdio.h>

#define METRICS_QUEUES METER_QUEUES_ALONE
#define METRICS_SCHEDULES 200U

/* Who may not be told of users is not told of their schedules either. */
struct metrics_reader {
    bool of_users;
    uint32_t users; /* of so many of them there are series by uid */
};

/* Names of users are not asked for: that may mean to wait for a server. The caller frees. */
char *metrics_text(const struct api *api, const struct metrics_reader *reader, size_t *ret_bytes);

/* Its parts. */
void metrics_queues(FILE *out, const struct api *api);               /* metrics_queues.c */
void metrics_users(FILE *out, const struct api *api, uint32_t most); /* the same */
void metrics_schedules(FILE *out, const struct api *api);            /* metrics_schedules.c */
void metrics_missed(FILE *out, const struct api *api);               /* the same */
void metrics_gpus(FILE *out, const struct api *api);                 /* metrics_gpus.c */
void metrics_machine(FILE *out, const struct api *api);              /* metrics_machine.c */
void metrics_daemon(FILE *out, const struct api *api);               /* metrics_daemon.c */

#endif
