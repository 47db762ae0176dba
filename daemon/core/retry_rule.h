/* When a job that failed is tried again: how often, after which delay, and after which ends. Rules
 * are said by the job, its queue, its type and the configuration ([retry]); what one does not say,
 * the next one does, and at last this table:
 *
 * - attempts: 3, of which those count that are not the host's doing
 * - backoff: 1s:2:1h (base, factor, cap), no jitter
 * - "default": exit codes 69, 74, 75 (sysexits: unavailable, I/O error, try again), and oom where
 *   the next attempt gets more memory; what was lost, without charge
 * - "failures", where max_attempts is said by the job, its queue or its type: all but those that a
 *   repetition does not mend: exit codes 64, 65, 66, 77, 78 (usage, data, no input, no permission,
 *   configuration), 126, 127, and spawn
 * - with `on`: exactly those it names
 *
 * Exit codes are those of commands and of processors. Pure. */
#ifndef BATCHD_DAEMON_CORE_RETRY_RULE_H
#define BATCHD_DAEMON_CORE_RETRY_RULE_H

#include "common/error.h"
#include "daemon/core/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETRY_ATTEMPTS_MAX 1000U
#define RETRY_SPAN_MS_MAX UINT64_C(31536000000) /* of base and cap: 365 days */
#define RETRY_FACTOR_MAX 100U
#define RETRY_CODES_MAX 32U
/* Room for a whole rule as text: 32 codes and all classes take 370. */
#define RETRY_TEXT_MAX 512U

/* In each, 0 is "does not say". */
enum retry_jitter { RETRY_JITTER_UNSAID, RETRY_JITTER_NONE, RETRY_JITTER_FULL, RETRY_JITTER_EQUAL };
enum retry_scope {
    RETRY_SCOPE_UNSAID,
    RETRY_SCOPE_DEFAULT,  /* "default": what is likely to pass */
    RETRY_SCOPE_FAILURES, /* "failures": all that may end otherwise */
    RETRY_SCOPE_NAMED
};
enum retry_lost { RETRY_LOST_UNSAID, RETRY_LOST_RERUN, RETRY_LOST_FINAL };

struct retry_backoff {
    uint64_t base_ms, cap_ms;
    uint32_t factor_milli; /* 1500 is 1.5; 0: all three are not said */
};

struct retry_on {
    enum retry_scope scope;
    uint32_t classes;  /* of RETRY_SCOPE_NAMED, bits of enum outcome_class */
    uint64_t codes[4]; /* and exit codes, bits 0 to 255 */
};

/* Zero-initialised it says nothing. */
struct retry_rule {
    uint32_t max_attempts;
    struct retry_backoff backoff;
    enum retry_jitter jitter;
    struct retry_on on;
    enum retry_lost lost;
};

/* What the configuration says of the jobs of one type. */
struct retry_of_type {
    char *type; /* owned */
    struct retry_rule rule;
};

/* The rules that fill what the job's does not say, in this order; each may be NULL. */
struct retry_layers {
    const struct retry_rule *queue, *type, *config;
};
void retry_rule_resolve(struct retry_rule *rule, const struct retry_layers *layers);

/* What *given says goes before what the resolved rule says. One that says how often, and no more,
 * widens "default" to "failures". */
void retry_rule_change(struct retry_rule *rule, const struct retry_rule *given);

/* How long after its `failures`th counted failure the next attempt waits, microseconds: base *
 * factor^(failures - 1), at most the cap; with jitter `full` from 0 to that, with `equal` from half
 * of it to all, as `random` (any 64 bits) says. The rule is a resolved one. */
uint64_t retry_rule_delay_us(const struct retry_rule *rule, uint32_t failures, uint64_t random);

/* Whether such an end is one after which the rule tries again, were attempts left. `grows`: the
 * next attempt would have more memory. Of `lost` it says nothing: see `lost`. */
bool retry_rule_takes(const struct retry_rule *rule, const struct outcome *outcome, bool grows);

/* ---- as text: 0, or -1 with ERROR_INVALID that names the field, the value and the rule ---- */

/* "10s", "10s:2", "10s:1.5:5m", or "none"; "" says nothing. */
int retry_backoff_parse(const char *text, struct retry_backoff *ret, struct error *err);
/* From numbers; factor 0 and cap 0: not given. */
int retry_backoff_set(uint64_t base_ms, double factor, uint64_t cap_ms, struct retry_backoff *ret,
                      struct error *err);
/* "none", "full", "equal"; "" says nothing. */
int retry_jitter_parse(const char *word, enum retry_jitter *ret, struct error *err);
/* One of "exit", "exit:75", "signal", "timeout", "oom", "disk_full", "lost", "spawn", "processor",
 * added to *rule; or "default", "failures" or "none", which stand alone. */
int retry_on_add(struct retry_rule *rule, const char *word, struct error *err);
/* Such words with commas between them; "" says nothing. */
int retry_on_parse(const char *text, struct retry_rule *rule, struct error *err);

/* What the parsers take; "" when it is not said. `ret` has RETRY_TEXT_MAX bytes. */
void retry_backoff_format(const struct retry_backoff *backoff, char *ret);
const char *retry_jitter_word(enum retry_jitter jitter);
void retry_on_format(const struct retry_rule *rule, char *ret);

/* Backoff, jitter and `on` of a resolved rule in one text, "" for those of the table above. */
void retry_rule_format(const struct retry_rule *rule, char *ret);
/* Back from there; what a text does not have stays. 0, or -1: it is none. */
int retry_rule_parse(const char *text, struct retry_rule *rule);

#endif
