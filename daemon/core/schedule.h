/* A job that is submitted again and again at set times (cron_spec.h). Its runs are ordinary jobs
 * with the schedule's name. No I/O, no clock. */
#ifndef BATCHD_DAEMON_CORE_SCHEDULE_H
#define BATCHD_DAEMON_CORE_SCHEDULE_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* What becomes of a run when the one before has not ended. */
enum schedule_overlap { OVERLAP_SKIP, OVERLAP_QUEUE, OVERLAP_REPLACE, OVERLAP_COUNT };
/* What becomes of runs whose time passed while batchd or the machine was down: nothing, or one at
 * once for all of them. */
enum schedule_catch_up { CATCH_UP_NONE, CATCH_UP_ONE, CATCH_UP_COUNT };

#define SCHEDULE_NAME_MAX 100U

/* A run that is later than this was missed. Less is a restart of the daemon or a busy machine. */
#define SCHEDULE_LATE_US INT64_C(60000000)
/* A clock that is put back further was wrong before: times go by the new one. Less is put right
 * while everything goes on, and what ran does not run again. cron(8) has the same bound. */
#define SCHEDULE_CORRECTION_US (INT64_C(3) * 3600 * 1000000)

/* Times are microseconds since the epoch, 0: never. Strings are owned (schedule_done). */
struct schedule {
    uint64_t id; /* never used twice */
    uint32_t uid, gid;
    enum schedule_overlap overlap;
    enum schedule_catch_up catch_up;
    bool paused;
    int64_t created_at;
    int64_t done_until;              /* every run up to then was made or skipped */
    uint64_t last_job;               /* the newest run, 0: none */
    int64_t last_run_at;             /* when it was submitted */
    int64_t skipped_at;              /* the newest run that was not made */
    int64_t completed_at, failed_at; /* the newest run that ended so */
    char *skipped_why;               /* NULL: none was */
    char *name, *at;
    char *zone; /* NULL: the daemon's */
};

void schedule_done(struct schedule *schedule);
/* All of it; release with schedule_done. */
struct schedule schedule_copy(const struct schedule *schedule);

/* Letters, digits and . _ - in a name, the first a letter or digit. 0, or -1 with ERROR_INVALID
 * naming the field "name". */
int schedule_check_name(const char *name, struct error *err);

/* Words of the wire; -1 with ERROR_INVALID naming the field "overlap" or "catch_up". */
const char *schedule_overlap_word(enum schedule_overlap overlap);
int schedule_overlap_parse(const char *word, enum schedule_overlap *ret, struct error *err);
const char *schedule_catch_up_word(enum schedule_catch_up catch_up);
int schedule_catch_up_parse(const char *word, enum schedule_catch_up *ret, struct error *err);

#endif
