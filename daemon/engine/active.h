/* The jobs that a worker has: their whole status in memory. A few per worker, so a list. */
#ifndef BATCHD_DAEMON_ENGINE_ACTIVE_H
#define BATCHD_DAEMON_ENGINE_ACTIVE_H

#include "common/worker_protocol.h"
#include "daemon/core/job.h"
#include "daemon/core/resources.h"

/* A breaker of which the attempt is a probe (breakers.h): that of its name, and of its queue. */
struct active_probe {
    uint32_t class, era; /* era 0: it is none */
};
#define ACTIVE_PROBES 2U

struct active {
    struct active *next;
    struct job_status status; /* of the job, or of the task of an array */
    char *type;               /* of a processor's job; owned; NULL: a command */
    struct retry_rule retry;
    struct resources asked;  /* what it was started with: of a task maybe more than of its array */
    bool counted;            /* in the pool's load of its worker */
    int64_t deadline_passed; /* the deadline that it was stopped for (deadline.c), or 0 */
    int64_t warn_at;         /* when it is to be warned of its deadline, by warn_signal; 0: not */
    uint32_t warn_signal;
    uint64_t
        run; /* the scheduler's number while it has its resources; 0: it waits behind another */
    int64_t held_since;    /* 0: it never had them: after a restart another one may stand for it */
    uint32_t volumes;      /* file systems that it writes to (disk_room.c) */
    uint64_t memory_taken; /* what its processes had when they were looked at (headroom.c) */
    bool memory_hidden;    /* that cannot be seen */
    uint64_t memory_round; /* and in which round that was */
    bool charged;          /* for its time, with its end (usage.c) */
    bool unjudged;         /* its worker does not name it, and the log could not be read yet */
    bool asked_back; /* it was handed ahead, and its worker is to drop it if it has not begun */
    struct active_probe probes[ACTIVE_PROBES];
    struct job_usage usage; /* newest, if used_at is set */
    int64_t used_at;        /* wall clock */
    char *progress;         /* newest, as JSON text, or NULL */
    char *preview;          /* the same */
};

struct active *active_add(struct active **list, const struct job_status *status);
/* The entry of a plain job, or of any one task of an array. */
struct active *active_find(struct active *list, uint64_t job);
/* The entry for exactly this attempt, or NULL: news of an older attempt is of no interest. */
struct active *active_find_attempt(struct active *list, const struct attempt_id *id);
void active_remove(struct active **list, struct active *entry);
void active_free_all(struct active **list);
struct attempt_id active_id(const struct active *entry);

#endif
