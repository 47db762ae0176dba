/* What the engine's files say to each other about what a worker has: its start, what is handed to
 * the worker ahead of time, its end; part of internal.h. */
#ifndef BATCHD_DAEMON_ENGINE_RUNNING_H
#define BATCHD_DAEMON_ENGINE_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

struct active;
struct engine;
struct error;
struct job;
struct job_row;
struct job_run;

/* start.c: hands a waiting job to a worker; `holds`: it is given its resources, else it waits
 * behind another there. */
void engine_start_job(struct engine *engine, struct job *job, uint64_t worker, bool holds);
/* What its row says is to be executed; the caller calls job_run_done. */
int engine_read_run(const struct job_row *row, struct job_run *ret, struct error *err);
/* ahead.c: a worker is handed this. */
void engine_load_worker(struct engine *engine, const struct active *entry);
/* An active job has its resources from then on; and it has them no longer, but the next
 * one that waits behind it in its worker has. No-op when it has none. */
void engine_hold(struct engine *engine, struct active *entry, int64_t since);
void engine_release(struct engine *engine, struct active *entry);
/* It runs, so it is the one that has them: after a restart another one may stand for it. */
void engine_take_over(struct engine *engine, struct active *entry);
/* In the round, when nothing more starts: what goes first may be handed to this worker, to wait
 * behind its jobs. NULL: it may not, or cannot. */
struct job *engine_choose_ahead(struct engine *engine, uint64_t *ret_worker);
/* After the round: what was handed ahead and may not be next any more is asked back. */
void engine_take_back(struct engine *engine);
/* The same for one, for all that wait in a worker, and for what waits behind jobs that were moved
 * to another queue. */
void engine_ask_back(struct engine *engine, struct active *entry);
void engine_ask_back_all(struct engine *engine, uint64_t worker);
void engine_part_moved(struct engine *engine);
/* settle.c */
void engine_settle(struct engine *engine, struct active *entry, bool tree_dead);
void engine_return(struct engine *engine, struct active *entry, const char *why);
/* It was never begun: it waits again, or is cancelled when that was asked for meanwhile. */
void engine_never_started(struct engine *engine, struct active *entry, const char *why);
void engine_stop_active(struct engine *engine, struct active *entry, uint64_t grace_ms);
/* The last result line that a processor wrote on fd 3, as JSON text; NULL if none. */
char *engine_read_result(const struct engine *engine, const struct active *entry);

#endif
