/* File systems that jobs write to (core/volume.h): that of the state folder, which is every job's;
 * and those of the folders that jobs run in and of their outputs. */
#ifndef BATCHD_DAEMON_ENGINE_VOLUMES_H
#define BATCHD_DAEMON_ENGINE_VOLUMES_H

#include "daemon/core/volume.h"

#include <stddef.h>

struct active;
struct engine;
struct job;
struct job_run;

/* One of them; borrowed. */
struct volume_view {
    const char *point; /* where it is mounted */
    const struct volume *volume;
    uint64_t kept_bytes; /* that running jobs asked for */
    size_t waiting;      /* jobs */
    bool every;          /* it is every job's */
};

void engine_begin_volumes(struct engine *engine);
void engine_end_volumes(struct engine *engine);
/* Of each sample of the machine. */
void engine_see_volumes(struct engine *engine);
/* Which are closed: what changed. */
void engine_store_volumes(struct engine *engine);

/* Those that the job writes to, as bits of struct active. What is on none that is looked at has
 * none. */
uint32_t engine_volumes_of(struct engine *engine, const struct job_run *run);
/* Whether one that was chosen may start; *ret as above. Else it waits for room, out of its queue.
 */
bool engine_volumes_admit(struct engine *engine, struct job *job, const struct job_run *run,
                          uint32_t *ret);
/* A job that has a worker ended. */
void engine_volumes_left(struct engine *engine, const struct active *entry);
/* Each turn: those for whom there is room now go back to their queue, so many a turn. */
void engine_volumes_due(struct engine *engine, int64_t now);
bool engine_volumes_unfinished(const struct engine *engine);

/* Whether that of every job takes more. */
bool engine_volumes_open(const struct engine *engine);
/* Whether one of these is closed. */
bool engine_volumes_closed(const struct engine *engine, uint32_t volumes);
bool engine_waits_for_room(const struct engine *engine, const struct job *job);
/* It no longer does: its alarm is gone, its block stays. */
void engine_forget_room(struct engine *engine, struct job *job);
/* In a copy of the process: nobody says when there will be room. */
void engine_forget_all_room(struct engine *engine);

/* Why the job does not start. False: for none of them. */
bool engine_volume_of(const struct engine *engine, const struct job *job, struct volume_view *ret);
void engine_volumes_each(const struct engine *engine,
                         void (*each)(void *arg, const struct volume_view *view), void *arg);

#endif
