/* What systemd is told: that we are ready, how many jobs there are, that the loop goes round. For
 * the life of the process: what systemd wants to be told is asked for once. */
#ifndef BATCHD_DAEMON_NOTICES_H
#define BATCHD_DAEMON_NOTICES_H

#include "daemon/core/jobset.h"

struct notices;

struct notices *notices_new(void);
void notices_free(struct notices *notices);

void notices_ready(struct notices *notices, const struct jobset *jobs);
/* "systemctl status" shows it. Told when it changed, so that an idle daemon leaves systemd alone.
 */
void notices_status(struct notices *notices, const struct jobset *jobs);
/* When the loop has gone round and committed: at most each third of the watchdog's time. */
void notices_feed_watchdog(struct notices *notices);
void notices_stopping(void);
/* While no daemon runs: the disk is full, once; and so often that the watchdog is fed. */
void notices_full_disk(void);
void notices_alive(void);

#endif
