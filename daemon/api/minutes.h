/* What the machine was like, minute by minute, as Stats shows it: read some minutes at a time, the
 * newest first. */
#ifndef BATCHD_DAEMON_API_MINUTES_H
#define BATCHD_DAEMON_API_MINUTES_H

#include "daemon/store/db.h"

#include <jansson.h>

struct minutes {
    json_t *list;   /* owned by the caller; the oldest first */
    int64_t since;  /* the first minute that is wanted */
    int64_t before; /* of those before it none was read yet */
    size_t parts;   /* disks and GPUs in the list */
};

struct minutes minutes_begin(int64_t since_us);

/* Reads the next ones. 1: there are more; 0: all, or as many as a reply takes, are there; or -1. */
int minutes_next(struct db *db, struct minutes *minutes, struct error *err);

#endif
