/* How a queue is set: one table says for each key its kind, range, default and what it does. The
 * configuration ([queues.NAME]), the protocol (io.batchd.Queues), the store and the options of
 * `batchctl queue set` all follow it. Pure. */
#ifndef BATCHD_DAEMON_CORE_QUEUE_SETTINGS_H
#define BATCHD_DAEMON_CORE_QUEUE_SETTINGS_H

#include "common/error.h"
#include "daemon/core/job.h"
#include "daemon/core/retry_rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum queue_policy { QUEUE_FIFO, QUEUE_PRIORITY, QUEUE_SJF, QUEUE_FAIR, QUEUE_POLICY_COUNT };

/* What a first job that does not fit does to those behind it: `none` stops them, `easy` gives it a
 * reservation and lets those pass that do not delay it (Lifka, "The ANL/IBM SP Scheduling System",
 * JSSPP 1995). */
enum queue_backfill { QUEUE_BACKFILL_NONE, QUEUE_BACKFILL_EASY, QUEUE_BACKFILL_COUNT };

struct queue_settings {
    enum queue_policy policy;
    enum queue_backfill backfill;
    int64_t ageing_us;    /* 0: jobs keep their level */
    int64_t max_delay_us; /* 0: no bound */
    uint32_t slots;       /* jobs that run at the same time; 0: no limit */
    uint32_t per_user;    /* of these, jobs of one user; 0: no limit */
    uint32_t weight;      /* against other queues; 0 counts as 1 */
    /* For jobs that do not say. */
    enum job_priority priority;
    int64_t timeout_us; /* 0: none */
    struct retry_rule retry;
};

#define QUEUE_DEFAULT "default" /* the queue that is always there */
#define QUEUE_NAME_MAX 64U
#define QUEUE_TEXT_MAX RETRY_TEXT_MAX /* room for any value as text */

/* A queue of the configuration. */
struct queue_config {
    char *name;
    struct queue_settings settings;
};

enum queue_key_kind {
    QUEUE_KEY_WORD,
    QUEUE_KEY_COUNT,
    QUEUE_KEY_SPAN,
    QUEUE_KEY_BACKOFF,  /* a struct retry_backoff */
    QUEUE_KEY_RETRY_ON, /* a struct retry_rule, of which only `on` */
};

struct queue_key {
    const char
        *name; /* "max_delay"; an option has '-' for '_', a span's member of a message "_ms" */
    enum queue_key_kind kind;
    size_t offset;            /* in struct queue_settings */
    const char *const *words; /* of a QUEUE_KEY_WORD, by number, ends with NULL */
    uint64_t min, max;        /* of the others; spans in milliseconds */
    const char *fallback;
    const char *argument; /* how help calls the value */
    const char *help;
};

extern const struct queue_key queue_keys[]; /* ends with a NULL name */

/* Its value is a text wherever it is written. */
static inline bool queue_key_is_text(const struct queue_key *key)
{
    return key->kind != QUEUE_KEY_COUNT && key->kind != QUEUE_KEY_SPAN;
}

void queue_settings_defaults(struct queue_settings *ret);
const struct queue_key *queue_key_find(const char *name); /* NULL: none */

/* Sets one value from a text (a word, a count, a span such as "10m") or a number (a count, or
 * milliseconds). 0, or -1 with ERROR_INVALID that names the key, the value and the rule; then
 * nothing was set. */
int queue_settings_set(struct queue_settings *settings, const struct queue_key *key,
                       const char *text, struct error *err);
int queue_settings_set_number(struct queue_settings *settings, const struct queue_key *key,
                              int64_t number, struct error *err);
/* The number of a count or a span (milliseconds). */
uint64_t queue_settings_number(const struct queue_settings *settings, const struct queue_key *key);
/* The value as queue_settings_set takes it; `ret` has QUEUE_TEXT_MAX bytes. */
void queue_settings_text(const struct queue_settings *settings, const struct queue_key *key,
                         char *ret);

/* A name of a queue: 1 to QUEUE_NAME_MAX of letters, digits, '_', '-' and '.', a letter or digit
 * first. 0, or -1 with ERROR_INVALID that names the field "queue". */
int queue_name_check(const char *name, struct error *err);

/* Words of the wire; -1 when the word is none of them. */
const char *queue_policy_word(enum queue_policy policy);
int queue_policy_parse(const char *word, enum queue_policy *ret);
const char *queue_backfill_word(enum queue_backfill backfill);
int queue_backfill_parse(const char *word, enum queue_backfill *ret);

#endif
