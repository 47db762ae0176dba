/* The composition root: makes the modules in the order of their layers, runs the loop, and ends
 * them in reverse. The only place that sees all of them. */
#ifndef BATCHD_DAEMON_DAEMON_H
#define BATCHD_DAEMON_DAEMON_H

#include "common/error.h"
#include "daemon/config.h"
#include "daemon/places.h"

#include <signal.h>

struct daemon;

/* Opens the store and the socket. ERROR_BUSY: another batchd owns this state. NULL with err. */
struct daemon *daemon_new(const struct config *config, const struct places *places,
                          struct error *err);
void daemon_free(struct daemon *daemon);

/* Runs until SIGTERM or SIGINT. 0, or -1 with err: the store refused a write, with ENOSPC in
 * err->saved_errno when the disk is full. Nothing was said that is not on disk. */
int daemon_run(struct daemon *daemon, struct error *err);

/* Returns true when the disk of the state has room again. A daemon may then be made anew: nothing
 * was lost, and the workers keep the results that it could not take. False: one of `stops`, which
 * are blocked, came meanwhile. */
bool daemon_wait_for_room(const struct config *config, const struct places *places,
                          const sigset_t *stops);

/* Only checks the store of these places. 0 or -1. */
int daemon_check_store(const struct config *config, const struct places *places, struct error *err);

/* The process exit status for an error (CLI.md, "Places"). */
int daemon_exit_status(const struct error *err);

#endif
