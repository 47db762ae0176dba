/* When a running job is to be warned, stopped, told to end and killed. Pure: `now` comes from
 * outside, in microseconds of a clock that stands while the machine is suspended. Limits count the
 * time that the job runs: while it is suspended that stands, too. */
#ifndef BATCHD_WORKER_TIMETABLE_H
#define BATCHD_WORKER_TIMETABLE_H

#include "common/worker_protocol.h"

#include <stdbool.h>
#include <stdint.h>

/* What is due, the most pressing first. */
enum due {
    DUE_NOTHING,
    DUE_KILL,    /* it was told to end, and its grace is over */
    DUE_TIMEOUT, /* it has run as long as it may */
    DUE_WARNING, /* it comes near that, and wants to know */
    DUE_HALT,    /* it was told to suspend itself, and is halted now */
};

struct timetable {
    int64_t ran_us;     /* how long it had run at `since` */
    int64_t since;      /* it runs since then; 0: it stands */
    int64_t timeout_us; /* how long it may run; 0: for ever */
    int64_t warn_us;    /* after how long it is warned; -1: never, or done */
    int64_t halt_at;    /* 0: it is not about to be halted */
    int64_t kill_at;    /* counts when it is stopping */
    bool stopping;
};

/* A new attempt begins to run now. */
void timetable_begin(struct timetable *table, const struct job_run *run, int64_t now);
/* How long it has run since, without the time that it stood. */
int64_t timetable_ran_us(const struct timetable *table, int64_t now);

/* It was asked to stand: halted at a later time; then, it stands; and it goes on. */
void timetable_suspend(struct timetable *table, int64_t halt_at);
void timetable_halt(struct timetable *table, int64_t now);
void timetable_resume(struct timetable *table, int64_t now);
/* It was told to end, so it goes on, whatever it did. A second time only an earlier end counts. */
void timetable_stop(struct timetable *table, int64_t now, int64_t kill_at);

/* It may run for this long in all, or as long as it might before if that is less. */
void timetable_shorten(struct timetable *table, int64_t limit_us);

/* What is due now. A warning is given once: it is done with this call. */
enum due timetable_due(struct timetable *table, int64_t now);
/* When something is due next, or INT64_MAX. */
int64_t timetable_next(const struct timetable *table);

#endif
