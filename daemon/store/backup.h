/* A copy of the store, made page by page while it is written to: what changes meanwhile on the one
 * connection is copied again by SQLite, so that the copy is the store as it was at the last step.
 */
#ifndef BATCHD_DAEMON_STORE_BACKUP_H
#define BATCHD_DAEMON_STORE_BACKUP_H

#include "daemon/store/db.h"

struct backup;

/* To a new file at `path`; one that is there goes. NULL with err. */
struct backup *backup_new(struct db *db, const char *path, struct error *err);
/* What there is of a copy goes, too. */
void backup_free(struct backup *backup);

/* A copy at `path` that a daemon left when it was killed goes. */
void backup_remove(const char *path);

/* Copies the next pages, under a millisecond's worth. Not within a transaction. 1: there are more;
 * 0: the copy is whole, and a single file that needs no other; -1 with err (a full disk has ENOSPC
 * in saved_errno). */
int backup_step(struct backup *backup, struct error *err);

/* What it will have, by what is known now. */
uint64_t backup_bytes(struct db *db, struct error *err);

#endif
