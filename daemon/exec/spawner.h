/* The connection to the spawner, which forks workers so that they are not children of the daemon.
 * In user mode the spawner is started here, detached, when none answers, and again after pauses
 * that grow; under systemd it has its own unit and is waited for. */
#ifndef BATCHD_DAEMON_EXEC_SPAWNER_H
#define BATCHD_DAEMON_EXEC_SPAWNER_H

#include "common/job_folders.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct spawner;

struct spawner_events {
    void (*spawned)(void *arg, uint64_t worker);
    void (*failed)(void *arg, uint64_t worker, const char *text);
    void (*swept)(void *arg, uint64_t worker); /* its log says whether the tree is proved dead */
    void (*folders)(void *arg, const struct job_folders *folders);
    void (*lost)(void *arg); /* the connection broke; requests without an answer are forgotten */
};

/* `binary` NULL: never started here. Strings are borrowed for life. */
struct spawner *spawner_new(struct event_base *base, const char *state_dir, const char *binary,
                            const struct spawner_events *events, void *arg);
void spawner_free(struct spawner *spawner);

/* Asks for a worker at the next spawner_flush. Kept until there is a connection, as the next ones.
 */
void spawner_request(struct spawner *spawner, uint64_t worker);
/* System mode, where workers' folders are the spawner's. Of a worker whose lock is free: kill and
 * prove dead what it left; remove its folder (no answer). */
void spawner_sweep(struct spawner *spawner, uint64_t worker);
void spawner_remove(struct spawner *spawner, uint64_t worker);
/* Asks it to remove folders of jobs; answered by `folders`. */
void spawner_remove_jobs(struct spawner *spawner, const struct job_folders *folders);
void spawner_flush(struct spawner *spawner);
/* Whether there is a connection. If not, one is looked for from the next spawner_flush on, though
 * nothing is asked of it: one that was started anew is not known of before. */
bool spawner_is_there(struct spawner *spawner);
/* Why there has been none for a while; NULL: there is, or none is needed. Borrowed. */
const char *spawner_problem(const struct spawner *spawner);

#endif
