/* What the engine's files say to each other about what keeps a job waiting and about deadlines;
 * part of internal.h. */
#ifndef BATCHD_DAEMON_ENGINE_WAITING_H
#define BATCHD_DAEMON_ENGINE_WAITING_H

#include "daemon/core/dependency_graph.h"
#include "daemon/core/jobset.h"
#include "daemon/core/task_ranges.h"
#include "daemon/store/condition_rows.h"

struct active;
struct array;
struct dependency_path;
struct engine;
struct job_run;

/* So many arrays are read in a turn to find that all their tasks back off; each a few rows. */
#define ENGINE_PUT_OFF_MAX 50U

/* A start or an end that some wait for (dependents.c). */
struct notice {
    uint64_t id;
    int64_t index; /* of the task, or -1 */
    enum job_state state;
    int64_t at;
};

/* conditions.c: a submitted or restored job waits for this; those whose time has come are queued;
 * and a job that waits no more is forgotten. */
void engine_apply_condition(struct engine *engine, const struct condition *condition, int64_t now);
/* The job waits for its begin time, if that is to come. */
void engine_watch_begin(struct engine *engine, struct job *job, int64_t begin_at, int64_t now);
void engine_begin_due(struct engine *engine, int64_t now);
void engine_drop_condition(struct engine *engine, struct job *job);
/* It is queued again when nothing else keeps it. */
void engine_unblock(struct engine *engine, struct job *job, enum job_block block, int64_t now);
/* backoff.c: until when (monotonic) what failed waits for another attempt, 0: not at all; chooses
 * that (charged counts this failure, too), and how long what the host had no room for waits; the
 * job, or an array of which nothing else can start, waits until then; those whose time has come are
 * queued, so many a turn; and it (of an array: each of its tasks; the caller writes released_at)
 * waits no longer. */
int64_t engine_backoff_until(const struct job_status *status);
void engine_choose_backoff(const struct retry_rule *rule, struct job_status *status);
void engine_choose_pause(struct engine *engine, struct job_status *status);
void engine_watch_backoff(struct engine *engine, struct job *job, int64_t until);
bool engine_backs_off(const struct engine *engine, const struct job *job);
void engine_backoffs_due(struct engine *engine, int64_t now);
bool engine_backoffs_unfinished(const struct engine *engine);
int engine_lift_backoff(struct engine *engine, struct job *job, int64_t now, struct error *err);
/* Whether a task failed before its array's backoffs were lifted. */
bool engine_backoff_lifted(const struct job_status *task, int64_t lifted_at);
/* For a prediction, in a copy of the process: they wait like for a begin time from now on. */
void engine_show_backoffs(struct engine *engine);
/* Its begin time or backoff no longer counts, or that it waited for room: the alarm is gone, the
 * block stays. */
void engine_clear_later(struct engine *engine, struct job *job);
/* edit.c: the job, which waits, stands and asks for what these say from now on. */
void engine_apply_facts(struct engine *engine, struct job *job, const struct job_facts *facts);
/* deadline.c: refuses one that has passed; the job is to end by then; those whose time has come
 * are ended, so many a turn. */
int engine_check_deadline(const struct job_facts *facts, int64_t now, struct error *err);
/* Refuses a new begin that is not before the deadline the job has. */
int engine_check_begin(const struct job_facts *facts, struct error *err);
void engine_watch_deadline(struct engine *engine, uint64_t job, int64_t at);
/* It has another one; 0: none. */
void engine_change_deadline(struct engine *engine, uint64_t job, int64_t before, int64_t at);
/* What starts, or has a worker at a start of the daemon: before its deadline it gets the signal
 * that it wants before its time is over, if it does. */
void engine_watch_warning(struct engine *engine, struct active *entry, const struct job_run *run);
void engine_deadlines_due(struct engine *engine, int64_t now);
/* False when the deadline of what is to start has passed and its turn to be ended has not come;
 * *ret_ended: it is ended now, and another may start. */
bool engine_may_start(struct engine *engine, const struct job *job, bool *ret_ended);
/* True when it was stopped for its deadline: its outcome says so then, and it is over. */
bool engine_end_of_deadline(struct active *entry);
/* dependencies.c: refuses what cannot be waited for; a submitted job waits for it; and all that
 * waits is found again at the start. */
int engine_check_depends(struct engine *engine, const struct job_facts *facts, struct error *err);
/* What the job at this place of those that are submitted together says of the others of them. */
int engine_check_siblings(const struct job_facts *jobs, size_t at, struct error *err);
/* The way by which a job that has facts->depends and facts->name waits for that one, from that one
 * on over what the job waits for; count 0: it does not. */
int engine_would_wait(struct engine *engine, const struct job_facts *facts, uint64_t id,
                      struct dependency_path *ret_path, struct error *err);
/* Whether a job may wait for facts->depends instead; it does from now on (facts->id, may_name_any).
 */
int engine_check_change(struct engine *engine, const struct job_facts *facts,
                        struct dependency_path *ret_path, struct error *err);
int engine_set_depends(struct engine *engine, const struct job_facts *facts, struct error *err);
void engine_add_depends(struct engine *engine, const struct job_facts *facts);
int engine_restore_depends(struct engine *engine, struct error *err);
/* The state of what a dependency names, from memory or its row. */
int engine_state_of(struct engine *engine, const struct dependency *what, enum job_state *ret,
                    struct error *err);
int engine_refuse_cycle(const struct dependency_path *path, const char *field, struct error *err);
/* namesakes.c: the job that is in the way of this singleton, 0 when none is. Whether a job may have
 * facts->name, and where `parts` (enum job_edit_part) say so facts->depends, which
 * engine_check_change found good; it has the name, in the store, too, and had the one before. */
int engine_find_namesake(struct engine *engine, uint64_t child, uint64_t *ret, struct error *err);
int engine_check_name(struct engine *engine, const struct job_facts *facts, unsigned parts,
                      struct dependency_path *ret_path, struct error *err);
int engine_renamed(struct engine *engine, const struct job_facts *facts, const char *before,
                   struct error *err);
/* dependents.c: something started or ended; what waits for it is looked at before the turn's
 * starts, so much of it a turn; a child ends because `what` can never be. */
void engine_note(struct engine *engine, const struct job_status *status);
/* These tasks (positions) were cancelled where they waited and tell of nothing themselves. */
void engine_note_cancelled(struct engine *engine, const struct array *array,
                           const struct task_ranges *tasks);
void engine_note_state(struct engine *engine, const struct dependency *what, enum job_state state);
void engine_follow(struct engine *engine);
/* Another job may be in the way of this one, if it is a singleton that waits, or none. */
void engine_seek_namesakes(struct engine *engine, uint64_t child);
void engine_end_child(struct engine *engine, uint64_t child, const struct dependency *what,
                      enum job_state state);
/* "failed (exit 3)", "was cancelled": how what it names ended. */
void engine_describe_end(struct engine *engine, const struct dependency *what, enum job_state state,
                         char *ret, size_t bytes);
/* array_link.c: refuses an array (its specification; NULL: none) that cannot wait for another one
 * task by task; it waits so (its job stands in the jobset), until it no longer does; something
 * ended or was cancelled that may be waited for so; and what follows, so much of it a turn. */
int engine_check_link(const char *array, const char *awaited, const struct dependency *what,
                      struct error *err);
int engine_link(struct engine *engine, uint64_t id, uint32_t position,
                const struct dependency *what, struct error *err);
void engine_unlink(struct engine *engine, uint64_t id);
void engine_note_link(struct engine *engine, const struct job_status *status);
void engine_note_link_cancelled(struct engine *engine, uint64_t id,
                                const struct task_ranges *tasks);
void engine_follow_links(struct engine *engine);
/* It stands in the queue if one of its tasks may start. */
void engine_requeue_array(struct engine *engine, struct job *job);

#endif
