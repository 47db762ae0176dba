#include "daemon/core/meters.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

const char *const meter_result_words[METER_RESULT_COUNT] = {
    [METER_OK] = "ok",           [METER_FAILED] = "failed", [METER_CANCELLED] = "cancelled",
    [METER_TIMEOUT] = "timeout", [METER_OOM] = "oom",       [METER_LOST] = "lost"};

const char *const meter_refusal_words[METER_REFUSALS] = {
    "InvalidSpec", "InvalidParameter", "PermissionDenied",
    "NoSuchQueue", "NoSuchType",       "NoSuchJob",
    "KeyConflict", "Duplicate",        "DependencyCycle",
    "NeverFits",   "Draining",         "QuotaExceeded",
    "Busy",        "Internal",         "_other"};

const char *const meter_missed_words[METER_MISSED_COUNT] = {[METER_MISSED_LATE] = "late",
                                                            [METER_MISSED_OVERLAP] = "overlap",
                                                            [METER_MISSED_REFUSED] = "refused"};

const char *const meter_code_words[METER_CODE_COUNT] = {[METER_CODE_OK] = "ok",
                                                        [METER_CODE_REFUSED] = "refused",
                                                        [METER_CODE_BUSY] = "busy",
                                                        [METER_CODE_INTERNAL] = "internal",
                                                        [METER_CODE_GONE] = "gone"};

enum meter_result meter_result_of(enum job_state state, enum outcome_class class)
{
    if (state == JOB_STATE_COMPLETED)
        return METER_OK;
    if (state == JOB_STATE_CANCELLED)
        return METER_CANCELLED;
    return class == OUTCOME_TIMEOUT ? METER_TIMEOUT
           : class == OUTCOME_OOM   ? METER_OOM
           : class == OUTCOME_LOST  ? METER_LOST
                                    : METER_FAILED;
}

void queue_meters_merge(struct queue_meters *meters, const struct queue_meters *more)
{
    meters->submitted += more->submitted;
    meters->started += more->started;
    meters->retried += more->retried;
    for (unsigned i = 0; i < METER_RESULT_COUNT; i++)
        meters->finished[i] += more->finished[i];
    meters->cpu_us += more->cpu_us;
    meters->output_bytes += more->output_bytes;
    meters->output_lost_bytes += more->output_lost_bytes;
    meters->read_bytes += more->read_bytes;
    meters->written_bytes += more->written_bytes;
    buckets_merge(&meters->waits, &more->waits);
    buckets_merge(&meters->runs, &more->runs);
}

struct meters *meters_new(void)
{
    return xcalloc(1, sizeof(struct meters));
}

void meters_free(struct meters *meters)
{
    if (meters == NULL)
        return;
    free(meters->users);
    free(meters);
}

static const char *word_of(const char *error)
{
    const char *dot = strrchr(error, '.');
    return dot == NULL ? error : dot + 1;
}

enum meter_code meter_code_of(const char *error)
{
    const char *word = word_of(error);
    if (strcmp(word, "Internal") == 0)
        return METER_CODE_INTERNAL;
    return strcmp(word, "Busy") == 0 || strcmp(word, "Draining") == 0 ? METER_CODE_BUSY
                                                                      : METER_CODE_REFUSED;
}

void meters_refuse(struct meters *meters, const char *error)
{
    const char *word = word_of(error);
    unsigned i = 0;
    while (i < METER_REFUSALS - 1 && strcmp(meter_refusal_words[i], word) != 0)
        i++;
    meters->refusals[i]++;
}

struct user_meters *meters_user(struct meters *meters, uint32_t uid)
{
    for (size_t i = 0; i < meters->user_count; i++) {
        if (meters->users[i].uid == uid)
            return &meters->users[i];
    }
    if (meters->user_count == METER_USERS_MAX)
        return &meters->other_users;
    meters->users = xreallocarray(meters->users, meters->user_count + 1, sizeof(*meters->users));
    meters->users[meters->user_count] = (struct user_meters){.uid = uid};
    return &meters->users[meters->user_count++];
}
