/* The folder that one batchd owns: its lock and its store. */
#ifndef BATCHD_DAEMON_STATE_FOLDER_H
#define BATCHD_DAEMON_STATE_FOLDER_H

#include "common/error.h"
#include "daemon/config.h"
#include "daemon/places.h"

struct db;

/* Held as long as *ret_fd is open. 0, or -1: ERROR_BUSY when another batchd owns it. */
int state_folder_lock(const struct places *places, int *ret_fd, struct error *err);
/* The store in it, made if there is none; the caller has the lock. NULL with err. */
struct db *state_folder_open_store(const struct config *config, const struct places *places,
                                   struct error *err);
/* Only checks the store, which must be there. 0 or -1. */
int state_folder_check_store(const struct config *config, const struct places *places,
                             struct error *err);

#endif
