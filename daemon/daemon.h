/* The composition root: makes the modules in the order of their layers, runs the loop, and ends
 * them in reverse. The only place that sees all of them. */
#ifndef BATCHD_DAEMON_DAEMON_H
#define BATCHD_DAEMON_DAEMON_H

#include "common/error.h"
#include "daemon/config.h"
#include "daemon/core/program.h"
#include "daemon/notices.h"
#include "daemon/places.h"

struct daemon;

/* Opens the store and the socket. All that it is given is borrowed for its life. ERROR_BUSY:
 * another batchd owns this state. NULL with err. */
struct daemon *daemon_new(const struct config *config, const struct places *places,
                          const struct program *program, struct notices *notices,
                          struct error *err);
void daemon_free(struct daemon *daemon);

/* Runs until SIGTERM or SIGINT. 0, or -1 with err: the store refused a write, with ENOSPC in
 * err->saved_errno when the disk is full. Nothing was said that is not on disk. */
int daemon_run(struct daemon *daemon, struct error *err);

#endif
