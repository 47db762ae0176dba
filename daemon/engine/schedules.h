/* The schedules: all of them in memory, without the jobs' texts. Whoever is due when a turn ends
 * has its job submitted in that turn's transaction, together with the note in its own row that this
 * run is made: so a crash at any point neither loses a run nor makes it twice. The loop turns once
 * a second at least, which is how late a run may be; the clock may jump meanwhile. */
#ifndef BATCHD_DAEMON_ENGINE_SCHEDULES_H
#define BATCHD_DAEMON_ENGINE_SCHEDULES_H

#include "daemon/core/cron_time.h"
#include "daemon/core/job.h"
#include "daemon/core/schedule.h"

#include <stddef.h>

struct engine;
struct zone;

struct planned {
    struct schedule facts;
    struct cron_spec spec;
    struct zone *zone;  /* owned */
    int64_t next_at;    /* INT64_MAX: never */
    int64_t not_before; /* after a refusal that may pass, else 0 */
};

/* From the stored text of a schedule's job to a job of its owner: the api knows how. 0 and *ret
 * (job_facts_done), or -1. */
typedef int (*schedule_job_fn)(void *arg, const struct schedule *schedule, const char *job,
                               struct job_facts *ret, struct error *err);
/* To be called before the first turn ends. */
void schedules_set_job_fn(struct engine *engine, schedule_job_fn call, void *arg);

/* In the order of their users and names. Valid until one is added or removed. */
size_t schedules_count(const struct engine *engine);
const struct planned *schedules_at(const struct engine *engine, size_t position);
const struct planned *schedules_find(const struct engine *engine, uint32_t uid, const char *name);

/* Takes over what *schedule holds, also when it fails. Its name must be new to its user:
 * ERROR_INVALID, as for an `at` or zone that is none; ERROR_LIMIT: the user has too many;
 * ERROR_BUSY: the disk is full. */
int schedules_add(struct engine *engine, struct schedule *schedule, const char *job,
                  struct error *err);
/* Puts *schedule, a changed copy, in its place; takes it over. `job` NULL: as before. Times that a
 * new `at` or zone would have had before now do not count. */
int schedules_change(struct engine *engine, struct schedule *schedule, const char *job,
                     struct error *err);
/* Resumed, it goes on with the next run; those of the pause do not count. */
int schedules_pause(struct engine *engine, const struct planned *planned, bool paused,
                    struct error *err);
int schedules_remove(struct engine *engine, const struct planned *planned, struct error *err);
/* One run now, whatever its times. ERROR_CONFLICT: the run before has not ended, and it skips. */
int schedules_run(struct engine *engine, const struct planned *planned, uint64_t *ret_job,
                  struct error *err);

#endif
