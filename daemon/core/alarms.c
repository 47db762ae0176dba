#include "daemon/core/alarms.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

void alarms_done(struct alarms *alarms)
{
    free(alarms->entries);
    *alarms = (struct alarms){0};
}

static void place(struct alarms *alarms, uint32_t position, struct alarm alarm)
{
    alarms->entries[position] = alarm;
    alarm.job->alarm_at = position;
}

static bool rings_before(const struct alarm *a, const struct alarm *b)
{
    return a->at != b->at ? a->at < b->at : a->job->id < b->job->id;
}

static void move_up(struct alarms *alarms, uint32_t position, struct alarm alarm)
{
    while (position > 0 && rings_before(&alarm, &alarms->entries[(position - 1) / 2])) {
        place(alarms, position, alarms->entries[(position - 1) / 2]);
        position = (position - 1) / 2;
    }
    place(alarms, position, alarm);
}

static void move_down(struct alarms *alarms, uint32_t position, struct alarm alarm)
{
    for (;;) {
        uint32_t child = 2 * position + 1;
        if (child + 1 < alarms->count &&
            rings_before(&alarms->entries[child + 1], &alarms->entries[child]))
            child++;
        if (child >= alarms->count || !rings_before(&alarms->entries[child], &alarm))
            break;
        place(alarms, position, alarms->entries[child]);
        position = child;
    }
    place(alarms, position, alarm);
}

void alarms_set(struct alarms *alarms, struct job *job, int64_t at)
{
    assert(job->alarm_at == NO_ALARM);
    if (alarms->count == alarms->room) {
        alarms->room = alarms->room == 0 ? 256 : alarms->room * 2;
        alarms->entries = xreallocarray(alarms->entries, alarms->room, sizeof(*alarms->entries));
    }
    move_up(alarms, alarms->count++, (struct alarm){.at = at, .job = job});
}

void alarms_clear(struct alarms *alarms, struct job *job)
{
    uint32_t position = job->alarm_at;
    if (position == NO_ALARM)
        return;
    job->alarm_at = NO_ALARM;
    struct alarm last = alarms->entries[--alarms->count];
    if (position == alarms->count)
        return;
    if (position > 0 && rings_before(&last, &alarms->entries[(position - 1) / 2]))
        move_up(alarms, position, last);
    else
        move_down(alarms, position, last);
}

bool alarms_have(const struct alarms *alarms, const struct job *job)
{
    return job->alarm_at < alarms->count && alarms->entries[job->alarm_at].job == job;
}

const struct alarm *alarms_first(const struct alarms *alarms)
{
    return alarms->count > 0 ? &alarms->entries[0] : NULL;
}
