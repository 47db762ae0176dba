#include "daemon/core/retry_rule.h"

#include "common/clock.h"
#include "common/parse.h"
#include "common/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_MS 1000U
#define CAP_MS 3600000U
#define FACTOR_MILLI 2000U
#define WORD_MAX 16U

static const struct retry_rule built_in = {
    .max_attempts = 3,
    .backoff = {.base_ms = BASE_MS, .cap_ms = CAP_MS, .factor_milli = FACTOR_MILLI},
    .jitter = RETRY_JITTER_NONE,
    .on = {.scope = RETRY_SCOPE_DEFAULT},
    .lost = RETRY_LOST_RERUN,
};

static const char *const jitter_words[] = {
    [RETRY_JITTER_UNSAID] = "",
    [RETRY_JITTER_NONE] = "none",
    [RETRY_JITTER_FULL] = "full",
    [RETRY_JITTER_EQUAL] = "equal",
};
#define JITTER_COUNT (sizeof(jitter_words) / sizeof(jitter_words[0]))

/* Those that `on` may name; success and cancelled are never tried again. */
static const enum outcome_class nameable[] = {OUTCOME_EXIT,  OUTCOME_SIGNAL,    OUTCOME_TIMEOUT,
                                              OUTCOME_OOM,   OUTCOME_DISK_FULL, OUTCOME_LOST,
                                              OUTCOME_SPAWN, OUTCOME_PROCESSOR};
#define NAMEABLE_COUNT (sizeof(nameable) / sizeof(nameable[0]))

/* sysexits.h: EX_UNAVAILABLE, EX_IOERR, EX_TEMPFAIL. */
static const uint8_t passing_codes[] = {69, 74, 75};
/* EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOPERM, EX_CONFIG; the shell's not executable, not found. */
static const uint8_t lasting_codes[] = {64, 65, 66, 77, 78, 126, 127};

/* ---- which layer says it ---- */

static void inherit(struct retry_rule *rule, const struct retry_rule *from)
{
    if (rule->max_attempts == 0)
        rule->max_attempts = from->max_attempts;
    if (rule->backoff.factor_milli == 0)
        rule->backoff = from->backoff;
    if (rule->jitter == RETRY_JITTER_UNSAID)
        rule->jitter = from->jitter;
    if (rule->on.scope == RETRY_SCOPE_UNSAID)
        rule->on = from->on;
    if (rule->lost == RETRY_LOST_UNSAID)
        rule->lost = from->lost;
}

/* By `on` it is said, too, what becomes of what is lost, unless that is said beside it. */
static void settle_lost(struct retry_rule *rule)
{
    if (rule->lost == RETRY_LOST_UNSAID && rule->on.scope == RETRY_SCOPE_NAMED)
        rule->lost =
            (rule->on.classes & (1U << OUTCOME_LOST)) != 0 ? RETRY_LOST_RERUN : RETRY_LOST_FINAL;
    if (rule->lost == RETRY_LOST_UNSAID && rule->on.scope != RETRY_SCOPE_UNSAID)
        rule->lost = RETRY_LOST_RERUN;
}

/* What `on` names says the same as `lost`. */
static void show_lost(struct retry_rule *rule)
{
    const uint32_t lost = 1U << OUTCOME_LOST;
    if (rule->on.scope == RETRY_SCOPE_NAMED)
        rule->on.classes =
            rule->lost == RETRY_LOST_RERUN ? rule->on.classes | lost : rule->on.classes & ~lost;
}

void retry_rule_resolve(struct retry_rule *rule, const struct retry_layers *layers)
{
    const struct retry_rule *const order[] = {layers->queue, layers->type, layers->config};
    bool counted = rule->max_attempts > 0;
    settle_lost(rule);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (order[i] == NULL)
            continue;
        counted |= order[i] != layers->config && order[i]->max_attempts > 0;
        inherit(rule, order[i]);
        settle_lost(rule);
    }
    if (rule->on.scope == RETRY_SCOPE_UNSAID && counted)
        rule->on.scope = RETRY_SCOPE_FAILURES;
    inherit(rule, &built_in);
    settle_lost(rule);
    show_lost(rule);
}

void retry_rule_change(struct retry_rule *rule, const struct retry_rule *given)
{
    struct retry_rule changed = *given;
    settle_lost(&changed);
    if (changed.on.scope == RETRY_SCOPE_UNSAID && changed.max_attempts > 0 &&
        rule->on.scope == RETRY_SCOPE_DEFAULT)
        rule->on.scope = RETRY_SCOPE_FAILURES;
    inherit(&changed, rule);
    show_lost(&changed);
    *rule = changed;
}

/* ---- the delay ---- */

uint64_t retry_rule_delay_us(const struct retry_rule *rule, uint32_t failures, uint64_t random)
{
    const struct retry_backoff *backoff = &rule->backoff;
    const uint64_t cap = backoff->cap_ms * US_PER_MS;
    uint64_t delay = backoff->base_ms * US_PER_MS;
    /* Below the cap, 3.2e13, it grows at most by 100: it stays below 2^63. */
    for (uint32_t i = 1; i < failures && delay < cap; i++)
        delay = delay * backoff->factor_milli / 1000;
    delay = delay < cap ? delay : cap;
    const uint64_t half = delay / 2;
    if (rule->jitter == RETRY_JITTER_FULL)
        return random % (delay + 1);
    return rule->jitter == RETRY_JITTER_EQUAL ? delay - half + random % (half + 1) : delay;
}

/* ---- which ends ---- */

static bool is_one_of(int code, const uint8_t *codes, size_t count)
{
    return code >= 0 && code <= 255 && memchr(codes, code, count) != NULL;
}

static bool names(const struct retry_on *on, const struct outcome *outcome)
{
    const unsigned code = (unsigned)outcome->exit_code;
    bool coded = outcome->class == OUTCOME_EXIT || outcome->class == OUTCOME_PROCESSOR;
    return (on->classes & (1U << outcome->class)) != 0 ||
           (coded && code <= 255 && (on->codes[code / 64] >> (code % 64) & 1U) != 0);
}

bool retry_rule_takes(const struct retry_rule *rule, const struct outcome *outcome, bool grows)
{
    bool coded = outcome->class == OUTCOME_EXIT || outcome->class == OUTCOME_PROCESSOR;
    switch (rule->on.scope) {
    case RETRY_SCOPE_NAMED:
        return names(&rule->on, outcome);
    case RETRY_SCOPE_FAILURES:
        return outcome->class != OUTCOME_SPAWN &&
               !(coded && is_one_of(outcome->exit_code, lasting_codes, sizeof(lasting_codes)));
    case RETRY_SCOPE_DEFAULT:
    case RETRY_SCOPE_UNSAID:
        break;
    }
    return (outcome->class == OUTCOME_OOM && grows) ||
           (coded && is_one_of(outcome->exit_code, passing_codes, sizeof(passing_codes)));
}

/* ---- read ---- */

int retry_backoff_set(uint64_t base_ms, double factor, uint64_t cap_ms, struct retry_backoff *ret,
                      struct error *err)
{
    if (base_ms > RETRY_SPAN_MS_MAX || cap_ms > RETRY_SPAN_MS_MAX)
        return error_set_field(err, "backoff", "backoff %llums: base and cap must be at most 365d",
                               (unsigned long long)(base_ms > cap_ms ? base_ms : cap_ms));
    if (factor != 0 && !(factor >= 1 && factor <= RETRY_FACTOR_MAX))
        return error_set_field(err, "backoff", "backoff factor %g must be from 1 to %u", factor,
                               RETRY_FACTOR_MAX);
    if (cap_ms > 0 && cap_ms < base_ms)
        return error_set_field(err, "backoff",
                               "backoff cap %llums must not be below the base, %llums",
                               (unsigned long long)cap_ms, (unsigned long long)base_ms);
    *ret = (struct retry_backoff){.base_ms = base_ms,
                                  .factor_milli =
                                      factor == 0 ? FACTOR_MILLI : (uint32_t)lround(factor * 1000),
                                  .cap_ms = cap_ms > 0         ? cap_ms
                                            : base_ms > CAP_MS ? base_ms
                                                               : CAP_MS};
    return 0;
}

static int refuse_backoff(const char *text, struct error *err)
{
    return error_set_field(err, "backoff",
                           "backoff \"%.60s\" must be BASE[:FACTOR[:CAP]], such as 10s:2:1h, or "
                           "none",
                           text);
}

int retry_backoff_parse(const char *text, struct retry_backoff *ret, struct error *err)
{
    char part[3][32] = {"", "", ""};
    double factor = 0;
    uint64_t base = 0;
    uint64_t cap = 0;
    const char *at = text;
    char *end;
    if (text[0] == '\0') {
        *ret = (struct retry_backoff){.factor_milli = 0};
        return 0;
    }
    if (strcmp(text, "none") == 0)
        return retry_backoff_set(0, 0, 0, ret, err);
    for (unsigned i = 0; i < 3 && at != NULL; i++) {
        size_t length = strcspn(at, ":");
        if (length == 0 || length >= sizeof(part[i]))
            return refuse_backoff(text, err);
        memcpy(part[i], at, length);
        at = at[length] == '\0' ? NULL : at + length + 1;
    }
    if (part[1][0] != '\0') {
        bool plain = strspn(part[1], "0123456789.") == strlen(part[1]);
        factor = strtod(part[1], &end);
        if (!plain || *end != '\0' || factor == 0)
            return refuse_backoff(text, err);
    }
    if (at != NULL || parse_span_ms(part[0], &base, NULL) < 0 ||
        (part[2][0] != '\0' && (parse_span_ms(part[2], &cap, NULL) < 0 || cap == 0)))
        return refuse_backoff(text, err);
    return retry_backoff_set(base, factor, cap, ret, err);
}

int retry_jitter_parse(const char *word, enum retry_jitter *ret, struct error *err)
{
    const int found = words_find(jitter_words, JITTER_COUNT, word);
    if (found >= 0) {
        *ret = (enum retry_jitter)found;
        return 0;
    }
    return error_set_field(err, "jitter", "jitter \"%.40s\" must be none, full or equal", word);
}

static int refuse_on(const char *word, struct error *err)
{
    return error_set_field(err, "on",
                           "retry on \"%.40s\" must be exit, exit:N (1 to 255), signal, timeout, "
                           "oom, disk_full, lost, spawn or processor; or default, failures or "
                           "none, alone",
                           word);
}

static int add_code(struct retry_on *on, const char *word, struct error *err)
{
    uint64_t code;
    unsigned count = 0;
    if (parse_u64(word + strlen("exit:"), 1, 255, &code, NULL) < 0)
        return refuse_on(word, err);
    on->codes[code / 64] |= UINT64_C(1) << (code % 64);
    for (unsigned i = 0; i < 4; i++)
        count += (unsigned)__builtin_popcountll(on->codes[i]);
    return count <= RETRY_CODES_MAX
               ? 0
               : error_set_field(err, "on", "retry on names over %u exit codes, the limit",
                                 RETRY_CODES_MAX);
}

int retry_on_add(struct retry_rule *rule, const char *word, struct error *err)
{
    struct retry_on *on = &rule->on;
    bool first = on->scope == RETRY_SCOPE_UNSAID;
    bool none = on->scope == RETRY_SCOPE_NAMED && on->classes == 0 &&
                (on->codes[0] | on->codes[1] | on->codes[2] | on->codes[3]) == 0;
    enum retry_scope alone = strcmp(word, "default") == 0    ? RETRY_SCOPE_DEFAULT
                             : strcmp(word, "failures") == 0 ? RETRY_SCOPE_FAILURES
                             : strcmp(word, "none") == 0     ? RETRY_SCOPE_NAMED
                                                             : RETRY_SCOPE_UNSAID;
    if ((alone != RETRY_SCOPE_UNSAID && !first) ||
        (!first && (on->scope != RETRY_SCOPE_NAMED || none)))
        return refuse_on(word, err);
    if (alone != RETRY_SCOPE_UNSAID) {
        on->scope = alone;
        return 0;
    }
    if (strncmp(word, "exit:", 5) == 0) {
        if (add_code(on, word, err) < 0)
            return -1;
        on->scope = RETRY_SCOPE_NAMED;
        return 0;
    }
    for (size_t i = 0; i < NAMEABLE_COUNT; i++) {
        if (strcmp(word, outcome_class_word(nameable[i])) == 0) {
            on->classes |= 1U << nameable[i];
            on->scope = RETRY_SCOPE_NAMED;
            return 0;
        }
    }
    return refuse_on(word, err);
}

int retry_on_parse(const char *text, struct retry_rule *rule, struct error *err)
{
    struct retry_rule read = *rule;
    read.on = (struct retry_on){.scope = RETRY_SCOPE_UNSAID};
    for (const char *at = text; at != NULL && text[0] != '\0';) {
        char word[WORD_MAX] = "";
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof(word))
            return refuse_on(at, err);
        memcpy(word, at, length);
        if (retry_on_add(&read, word, err) < 0)
            return -1;
        at = at[length] == '\0' ? NULL : at + length + 1;
    }
    *rule = read;
    return 0;
}

/* ---- write ---- */

void retry_backoff_format(const struct retry_backoff *backoff, char *ret)
{
    ret[0] = '\0';
    if (backoff->factor_milli == 0)
        return;
    if (backoff->base_ms == 0)
        (void)snprintf(ret, RETRY_TEXT_MAX, "none");
    else
        (void)snprintf(ret, RETRY_TEXT_MAX, "%llums:%g:%llums",
                       (unsigned long long)backoff->base_ms, backoff->factor_milli / 1000.0,
                       (unsigned long long)backoff->cap_ms);
}

const char *retry_jitter_word(enum retry_jitter jitter)
{
    return jitter_words[jitter];
}

static void append(char *ret, const char *word, unsigned code)
{
    size_t used = strlen(ret);
    char number[12] = ""; /* any unsigned */
    if (code > 0)
        (void)snprintf(number, sizeof(number), ":%u", code);
    (void)snprintf(ret + used, RETRY_TEXT_MAX - used, "%s%s%s", used == 0 ? "" : ",", word, number);
}

void retry_on_format(const struct retry_rule *rule, char *ret)
{
    static const char *const scopes[] = {
        [RETRY_SCOPE_UNSAID] = "",
        [RETRY_SCOPE_DEFAULT] = "default",
        [RETRY_SCOPE_FAILURES] = "failures",
        [RETRY_SCOPE_NAMED] = "",
    };
    const struct retry_on *on = &rule->on;
    (void)snprintf(ret, RETRY_TEXT_MAX, "%s", scopes[on->scope]);
    if (on->scope != RETRY_SCOPE_NAMED)
        return;
    for (size_t i = 0; i < NAMEABLE_COUNT; i++) {
        if ((on->classes & (1U << nameable[i])) != 0)
            append(ret, outcome_class_word(nameable[i]), 0);
    }
    for (unsigned code = 1; code <= 255; code++) {
        if ((on->codes[code / 64] >> (code % 64) & 1U) != 0)
            append(ret, "exit", code);
    }
    if (ret[0] == '\0')
        append(ret, "none", 0);
}

/* "1000ms:2:3600000ms none failures". */
void retry_rule_format(const struct retry_rule *rule, char *ret)
{
    char backoff[RETRY_TEXT_MAX], on[RETRY_TEXT_MAX], usual[RETRY_TEXT_MAX];
    retry_backoff_format(&built_in.backoff, usual);
    retry_backoff_format(&rule->backoff, backoff);
    retry_on_format(rule, on);
    bool same = strcmp(backoff, usual) == 0 && rule->jitter == built_in.jitter &&
                rule->on.scope == built_in.on.scope;
    ret[0] = '\0';
    if (!same)
        (void)snprintf(ret, RETRY_TEXT_MAX, "%.80s %s %.400s", backoff,
                       retry_jitter_word(rule->jitter), on);
}

int retry_rule_parse(const char *text, struct retry_rule *rule)
{
    char backoff[100], jitter[WORD_MAX], on[RETRY_TEXT_MAX];
    struct retry_rule read = *rule;
    size_t lengths[2] = {strcspn(text, " "), 0};
    const char *second = text + lengths[0] + (text[lengths[0]] == ' ');
    lengths[1] = strcspn(second, " ");
    const char *third = second + lengths[1] + (second[lengths[1]] == ' ');
    if (text[0] == '\0') {
        rule->backoff = built_in.backoff;
        rule->jitter = built_in.jitter;
        rule->on = built_in.on;
        return 0;
    }
    if (lengths[0] >= sizeof(backoff) || lengths[1] >= sizeof(jitter) ||
        strlen(third) >= sizeof(on))
        return -1;
    (void)snprintf(backoff, sizeof(backoff), "%.*s", (int)lengths[0], text);
    (void)snprintf(jitter, sizeof(jitter), "%.*s", (int)lengths[1], second);
    if (retry_backoff_parse(backoff, &read.backoff, NULL) < 0 || read.backoff.factor_milli == 0 ||
        retry_jitter_parse(jitter, &read.jitter, NULL) < 0 || read.jitter == RETRY_JITTER_UNSAID ||
        retry_on_parse(third, &read, NULL) < 0 || read.on.scope == RETRY_SCOPE_UNSAID)
        return -1;
    *rule = read;
    return 0;
}
