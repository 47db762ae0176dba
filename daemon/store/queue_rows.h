/* What was changed about queues at run time: one row for each setting, which goes before the
 * configuration's; and the marks QUEUE_MARK_*, whose value is "1" where
 * nothing else is said. */
#ifndef BATCHD_DAEMON_STORE_QUEUE_ROWS_H
#define BATCHD_DAEMON_STORE_QUEUE_ROWS_H

#include "daemon/store/db.h"

#define QUEUE_MARK_ADDED "added" /* it was made at run time */
#define QUEUE_MARK_PAUSED "paused"
#define QUEUE_MARK_DRAINING "draining"
#define QUEUE_MARK_MOVE_TO "move_to" /* it is being removed; the value is where its jobs go */
#define QUEUE_MARK_OWED "owed"       /* the next round begins with it (core/scheduler.h) */
/* How much it has started for its weight (core/scheduler.h): a number, the only one with a value.
 */
#define QUEUE_MARK_SERVED "served"

/* Writes or replaces the row of this queue and key (a name of queue_keys, or a mark). */
int queue_rows_put(struct db *db, const char *queue, const char *key, const char *value,
                   struct error *err);
/* Deletes the row of this key, or with NULL all rows of the queue. */
int queue_rows_delete(struct db *db, const char *queue, const char *key, struct error *err);

/* All rows, by queue. A failing callback ends it with -1; it must not touch the store.
 * ERROR_DAMAGED: one fails its checksum. `each` may be NULL: then they are only checked. */
typedef int (*queue_row_fn)(void *arg, const char *queue, const char *key, const char *value,
                            struct error *err);
int queue_rows_each(struct db *db, queue_row_fn each, void *arg, struct error *err);

/* Puts every unfinished job of one queue into another. */
int queue_rows_move_job(struct db *db, uint64_t job, const char *to, struct error *err);
int queue_rows_move_jobs(struct db *db, const char *from, const char *to, struct error *err);

#endif
