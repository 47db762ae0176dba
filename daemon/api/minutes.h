/* What the machine was like, minute by minute, as Stats shows it: read some minutes at a time, the
 * newest first, and written as what is sent at once, so that the end of it takes little. */
#ifndef BATCHD_DAEMON_API_MINUTES_H
#define BATCHD_DAEMON_API_MINUTES_H

#include "daemon/store/db.h"

struct minutes;

struct minutes *minutes_new(int64_t since_us);
void minutes_free(struct minutes *minutes); /* NULL: no-op */

/* Reads the next ones. 1: there are more; 0: all, or as many as a reply takes, are there; or -1. */
int minutes_next(struct db *db, struct minutes *minutes, struct error *err);

/* Those that were read, the oldest first: a list as JSON, which the caller frees. */
char *minutes_text(const struct minutes *minutes);

#endif
