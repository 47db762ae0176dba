/* How long jobs run, learned from jobs that ended well, and how much memory they need, learned from
 * those that had too little: classes of jobs that are alike, by owner
 * and name (typed jobs: type), and one class for each queue, whose mean speaks for what nothing
 * else is known of. Pure; the engine stores what changes here (engine/learning.c).
 *
 * What waiting jobs are ordered by is a class's published estimate, which moves in few steps
 * (run_history_matters), since each step makes waiting jobs change their place.
 *
 * At most ESTIMATES_MAX classes are kept, beside the queues. When there is no room for a new one,
 * the user who has the most of those that no unfinished job needs loses the one not needed for
 * longest: a user with many names loses only his own. What finds no room goes by the queue's mean.
 */
#ifndef BATCHD_DAEMON_CORE_ESTIMATES_H
#define BATCHD_DAEMON_CORE_ESTIMATES_H

#include "daemon/core/run_history.h"

#include <stddef.h>

/* Where an estimate comes from: its user, runs of the same owner's jobs of this name or type, or
 * the queue's mean. */
enum estimate_source {
    ESTIMATE_NONE,
    ESTIMATE_USER,
    ESTIMATE_LEARNED,
    ESTIMATE_QUEUE,
    ESTIMATE_SOURCE_COUNT
};

const char *estimate_source_word(enum estimate_source source); /* NULL for none */

/* As stored. */
enum estimate_kind { ESTIMATE_OF_NAME, ESTIMATE_OF_TYPE, ESTIMATE_OF_QUEUE, ESTIMATE_KIND_COUNT };

/* So many that all names of a busy machine have one, and few enough that jobs with a name each cost
 * 2 MB together at most until they ran, and 6 MB then. */
#define ESTIMATES_MAX 16384U

/* A class as it is stored and shown. `history` has no run while nothing is known. */
struct estimate {
    enum estimate_kind kind;
    uint32_t uid;     /* of a queue 0 */
    const char *name; /* borrowed */
    int64_t published_us;
    int64_t learned_at; /* when the last run ended */
    uint64_t
        memory_bytes; /* what one that had too little memory should have asked for; 0: none had */
    const struct run_history *history;
};

struct estimates;

struct estimates *estimates_new(size_t limit); /* ESTIMATES_MAX, or less for a test */
void estimates_free(struct estimates *estimates);

/* The class's number, with one more job in it; 0: there is no room for it. Valid until as many
 * drops. */
uint32_t estimates_take(struct estimates *estimates, enum estimate_kind kind, uint32_t uid,
                        const char *name);
void estimates_drop(struct estimates *estimates, uint32_t number);

/* The number of a class that there is, 0: there is none of that name. */
uint32_t estimates_find(const struct estimates *estimates, enum estimate_kind kind, uint32_t uid,
                        const char *name);
/* What class it is; false for number 0. */
bool estimates_describe(const struct estimates *estimates, uint32_t number, struct estimate *ret);

/* A job of the class ran so long. predicted_us: what the class said as it started, or 0. */
void estimates_learn(struct estimates *estimates, uint32_t number, int64_t run_us,
                     int64_t predicted_us, int64_t now);
/* One of the class had too little memory, and needs so much at least. The most is kept. */
void estimates_learn_memory(struct estimates *estimates, uint32_t number, uint64_t memory_bytes,
                            int64_t now);
uint64_t estimates_memory(const struct estimates *estimates, uint32_t number); /* 0: nothing */
/* What is published, 0: nothing. 0 for number 0. */
int64_t estimates_published(const struct estimates *estimates, uint32_t number);
/* Counts the changes of published estimates. */
uint64_t estimates_changes(const struct estimates *estimates);

/* Adds a stored class. They come in the order of their learned_at. */
void estimates_restore(struct estimates *estimates, const struct estimate *stored);

/* What the store has to follow: first the classes that were given up since they were stored, then
 * those that learned; false: no more. *ret is valid until the next call. */
bool estimates_next_lost(struct estimates *estimates, struct estimate *ret);
bool estimates_next_learned(struct estimates *estimates, struct estimate *ret);

/* Each class of which it is known how long its jobs run, in no order. */
typedef void (*estimate_fn)(void *arg, const struct estimate *one);
void estimates_each(const struct estimates *estimates, estimate_fn call, void *arg);

#endif
