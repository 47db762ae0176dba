/* Workers whose log could not be read: descriptors or memory are out, or the disk has an error. It
 * is the last word on their jobs, so nothing is guessed, and it is read again (reports.c). */
#ifndef BATCHD_DAEMON_ENGINE_UNREAD_LOGS_H
#define BATCHD_DAEMON_ENGINE_UNREAD_LOGS_H

#include <stdbool.h>
#include <stdint.h>

struct unread_log {
    struct unread_log *next;
    uint64_t worker;
    bool dead; /* the worker is; else what it does not name is to be judged */
};

/* Once for each worker: of a dead one all its jobs are judged. */
void unread_logs_add(struct unread_log **list, uint64_t worker, bool dead);
void unread_logs_free(struct unread_log **list);

#endif
