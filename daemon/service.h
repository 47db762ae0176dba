/* Runs daemons one after another until one was told to stop: a store that has no room is closed,
 * and opened again when there is some. */
#ifndef BATCHD_DAEMON_SERVICE_H
#define BATCHD_DAEMON_SERVICE_H

#include "common/error.h"
#include "daemon/config.h"
#include "daemon/core/program.h"
#include "daemon/places.h"

/* 0, or -1 with err: the first could not be made, or the store refused a write for another reason
 * than a full disk. */
int service_run(const struct config *config, const struct places *places,
                const struct program *program, struct error *err);

#endif
