/* Jobs by a time: a binary heap that the jobs know their position in, so each is in one at most. A
 * queued job is in its queue's, by when its place there changes by itself (ageing, max_delay); one
 * that may not start yet is in the engine's, by when it may. */
#ifndef BATCHD_DAEMON_CORE_ALARMS_H
#define BATCHD_DAEMON_CORE_ALARMS_H

#include "daemon/core/job.h"

#include <stddef.h>

struct alarm {
    int64_t at;
    struct job *job;
};

struct alarms {
    struct alarm *entries; /* owned */
    uint32_t count, room;
};

void alarms_done(struct alarms *alarms);
/* The job must have none: alarm_at is NO_ALARM. */
void alarms_set(struct alarms *alarms, struct job *job, int64_t at);
void alarms_clear(struct alarms *alarms, struct job *job); /* no-op when it has none */
/* Whether the job has its alarm here. */
bool alarms_have(const struct alarms *alarms, const struct job *job);
/* The earliest, or NULL. */
const struct alarm *alarms_first(const struct alarms *alarms);

#endif
