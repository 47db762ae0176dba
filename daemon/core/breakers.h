/* All circuit breakers: one for each class of jobs (estimates.h: owner and name, or type; and
 * queues; a job that found no room for a class there has none here) of which something failed
 * lately, or that somebody opened or disabled; what has none is healthy, and one look tells so.
 * With the jobs that each keeps waiting, in the order of their ids. Pure; the engine asks, blocks,
 * releases and stores (engine/breakers.h).
 *
 * At most BREAKERS_MAX are kept, beside those of queues. When there is no room for a new one, the
 * owner who has the most loses one (breakers_victim): a user with many names that fail loses only
 * his own. */
#ifndef BATCHD_DAEMON_CORE_BREAKERS_H
#define BATCHD_DAEMON_CORE_BREAKERS_H

#include "daemon/core/breaker.h"
#include "daemon/core/deadlines.h"
#include "daemon/core/estimates.h"
#include "daemon/core/outcome.h"

#include <stddef.h>

/* Half of the classes that there may be: each keeps its class, and others shall find room. */
#define BREAKERS_MAX (ESTIMATES_MAX / 2)

/* What its last failure was. */
struct breaker_failure {
    int64_t at; /* 0: none */
    enum outcome_class class;
    int exit_code, signal;
};

struct breaker_entry {
    struct breaker breaker;
    struct breaker_failure failed;
    enum estimate_kind kind;
    uint32_t uid;            /* of a queue 0 */
    uint32_t class;          /* its number in the estimates */
    char *name;              /* owned */
    uint32_t era;            /* of a half-open one: another number each time, never 0 */
    uint32_t last;           /* of a queue: the class of the last failure in it, 0: not known */
    uint64_t used;           /* the larger the later */
    struct deadlines parked; /* jobs by id; also some that are parked no more */
    uint64_t waiting;        /* those that are */
    bool releasing;          /* what is parked goes back to its queue */
    bool changed, stored;    /* its row is to be written; there is one */
    uint32_t position;       /* in the list of all */
};

/* "name:N", "type:T", "queue:Q": as people write it. The caller frees. */
char *breakers_key(enum estimate_kind kind, const char *name);
/* The same read: the name behind it, or NULL when it is none of these words and *ret is unset. */
const char *breakers_key_parse(const char *key, enum estimate_kind *ret);

struct breakers;

struct breakers *breakers_new(const struct breaker_rule *rule, size_t limit);
void breakers_free(struct breakers *breakers);
const struct breaker_rule *breakers_rule(const struct breakers *breakers);

/* That of a class by its number; NULL: it has none. */
struct breaker_entry *breakers_find(const struct breakers *breakers, uint32_t class);
/* Adds a closed one for a class that has none. NULL: there is no room. */
struct breaker_entry *breakers_add(struct breakers *breakers, const struct breaker_entry *as);
/* Whom to drop for want of room: of the owner with the most the one used longest ago, a closed one
 * if he has such. NULL: there is none but those of queues. */
struct breaker_entry *breakers_victim(const struct breakers *breakers);
/* What is parked must have been released. */
void breakers_drop(struct breakers *breakers, struct breaker_entry *entry);
size_t breakers_count(const struct breakers *breakers);
struct breaker_entry *breakers_at(const struct breakers *breakers, size_t position);
/* Another era begins: its probes are told from those before by it. */
void breakers_begin_era(struct breakers *breakers, struct breaker_entry *entry);
/* It is of use: of others rather than of it the room is taken. */
void breakers_use(struct breakers *breakers, struct breaker_entry *entry);

/* The job waits for it; `open` as for deadlines_add. */
void breakers_park(struct breaker_entry *entry, uint64_t job, deadline_open_fn open,
                   const void *arg);
/* The first of those parked, maybe one that is parked no more; 0: none. */
uint64_t breakers_take_parked(struct breaker_entry *entry);
/* One that was parked is so no more. */
void breakers_left(struct breaker_entry *entry);

#endif
