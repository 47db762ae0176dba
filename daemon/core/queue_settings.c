#include "daemon/core/queue_settings.h"

#include "common/clock.h"
#include "common/parse.h"
#include "common/words.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct queue_settings, member)
#define DAY_MS UINT64_C(86400000)
#define CENTURY_MS (36500 * DAY_MS)
#define COUNT_MAX 1000000

static const char *const policy_words[] = {"fifo", "priority", "sjf", "fair", NULL};
static const char *const backfill_words[] = {"none", "easy", NULL};
static const char *const jitter_words[] = {"", "none", "full", "equal", NULL};
static const char *const priority_words[] = {"urgent", "high", "normal", "low", "background", NULL};

const struct queue_key queue_keys[] = {
    {"policy", QUEUE_KEY_WORD, AT(policy), policy_words, 0, 0, "priority", "ORDER",
     "Who goes first: fifo (by submit), priority (by level), sjf (the shortest by estimate), fair "
     "(whose jobs used least)."},
    {"backfill", QUEUE_KEY_WORD, AT(backfill), backfill_words, 0, 0, "easy", "MODE",
     "When the first job does not fit: none waits for it, easy lets others pass that do not delay "
     "it."},
    {"slots", QUEUE_KEY_COUNT, AT(slots), NULL, 0, COUNT_MAX, "0", "N",
     "Jobs of the queue that run at the same time; 0 means no limit."},
    {"per_user", QUEUE_KEY_COUNT, AT(per_user), NULL, 0, COUNT_MAX, "0", "N",
     "Jobs of one user that run at the same time in the queue; 0 means no limit."},
    {"weight", QUEUE_KEY_COUNT, AT(weight), NULL, 1, 1000, "1", "N",
     "Between queues the one that has the least running for its weight goes first; where that is "
     "the same, the one that has started the least for its weight."},
    {"ageing", QUEUE_KEY_SPAN, AT(ageing_us), NULL, 0, CENTURY_MS, "0", "SPAN",
     "With priority, a waiting job rises by one level for each such time; 0 means never."},
    {"max_delay", QUEUE_KEY_SPAN, AT(max_delay_us), NULL, 0, CENTURY_MS, "0", "SPAN",
     "A job that has waited so long goes first, whatever the policy, and before those of other "
     "queues; 0 means no bound."},
    {"priority", QUEUE_KEY_WORD, AT(priority), priority_words, 0, 0, "normal", "LEVEL",
     "The level of jobs that do not say: urgent, high, normal, low or background."},
    {"timeout", QUEUE_KEY_SPAN, AT(timeout_us), NULL, 0, 3650 * DAY_MS, "0", "SPAN",
     "The time that jobs may run that do not say; 0 means no limit."},
    {"max_attempts", QUEUE_KEY_COUNT, AT(retry.max_attempts), NULL, 0, RETRY_ATTEMPTS_MAX, "0", "N",
     "How often jobs that do not say are tried at most; 0: as [retry] says."},
    {"backoff", QUEUE_KEY_BACKOFF, AT(retry.backoff), NULL, 0, 0, "", "BASE[:FACTOR[:CAP]]",
     "How long they wait before they are tried again, such as 10s:2:1h; empty: as [retry] says."},
    {"jitter", QUEUE_KEY_WORD, AT(retry.jitter), jitter_words, 0, 0, "", "KIND",
     "How that is spread: none, full (from 0) or equal (from half); empty: as [retry] says."},
    {"retry_on", QUEUE_KEY_RETRY_ON, AT(retry), NULL, 0, 0, "", "CLASS,...",
     "After which ends they are tried again; empty: as [retry] says."},
    {NULL, QUEUE_KEY_WORD, 0, NULL, 0, 0, NULL, NULL, NULL},
};

static void *field(struct queue_settings *settings, const struct queue_key *key)
{
    return (char *)settings + key->offset;
}

static void put(struct queue_settings *settings, const struct queue_key *key, uint64_t number)
{
    int64_t span = (int64_t)number * US_PER_MS;
    uint32_t small = (uint32_t)number;
    if (key->kind == QUEUE_KEY_SPAN)
        memcpy(field(settings, key), &span, sizeof(span));
    else
        memcpy(field(settings, key), &small, sizeof(small));
}

uint64_t queue_settings_number(const struct queue_settings *settings, const struct queue_key *key)
{
    const char *at = (const char *)settings + key->offset;
    int64_t span;
    uint32_t small;
    if (key->kind == QUEUE_KEY_SPAN) {
        memcpy(&span, at, sizeof(span));
        return (uint64_t)(span / US_PER_MS);
    }
    memcpy(&small, at, sizeof(small));
    return small;
}

const struct queue_key *queue_key_find(const char *name)
{
    for (const struct queue_key *key = queue_keys; key->name != NULL; key++) {
        if (strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

void queue_settings_defaults(struct queue_settings *ret)
{
    *ret = (struct queue_settings){.weight = 1};
    for (const struct queue_key *key = queue_keys; key->name != NULL; key++) {
        struct error err;
        if (queue_settings_set(ret, key, key->fallback, &err) < 0)
            abort(); /* a default outside its own range */
    }
}

static void format_number(const struct queue_key *key, uint64_t number, char *ret, size_t bytes)
{
    if (key->kind == QUEUE_KEY_SPAN)
        format_span(number, ret, bytes);
    else
        (void)snprintf(ret, bytes, "%llu", (unsigned long long)number);
}

static int refuse_range(const struct queue_key *key, const char *given, struct error *err)
{
    char low[QUEUE_TEXT_MAX], high[QUEUE_TEXT_MAX];
    format_number(key, key->min, low, sizeof(low));
    format_number(key, key->max, high, sizeof(high));
    return error_set_field(err, key->name, "%s %.40s must be from %s to %s", key->name, given, low,
                           high);
}

int queue_settings_set_number(struct queue_settings *settings, const struct queue_key *key,
                              int64_t number, struct error *err)
{
    char given[QUEUE_TEXT_MAX];
    (void)snprintf(given, sizeof(given), "%lld", (long long)number);
    if (queue_key_is_text(key))
        return error_set_field(err, key->name, "%s %s must be a text", key->name, given);
    if (number >= 0 && key->kind == QUEUE_KEY_SPAN)
        format_span((uint64_t)number, given, sizeof(given));
    if (number < 0 || (uint64_t)number < key->min || (uint64_t)number > key->max)
        return refuse_range(key, given, err);
    put(settings, key, (uint64_t)number);
    return 0;
}

static int refuse_word(const struct queue_key *key, const char *text, struct error *err)
{
    char list[120] = "";
    for (size_t i = 0; key->words[i] != NULL; i++) {
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof(list) - used, "%s%s",
                       used == 0                   ? ""
                       : key->words[i + 1] == NULL ? " or "
                                                   : ", ",
                       key->words[i]);
    }
    return error_set_field(err, key->name, "%s \"%.40s\" must be %s", key->name, text, list);
}

/* Its position in a list that ends with NULL; -1: it is not in it. */
static int parse_word(const char *const *words, const char *word)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    return words_find(words, count, word);
}

static int set_word(struct queue_settings *settings, const struct queue_key *key, const char *text,
                    struct error *err)
{
    const int found = parse_word(key->words, text);
    if (found < 0)
        return refuse_word(key, text, err);
    put(settings, key, (uint64_t)found);
    return 0;
}

static int parse_retry_on(struct queue_settings *settings, const struct queue_key *key,
                          const char *text, struct error *err)
{
    if (retry_on_parse(text, field(settings, key), err) == 0)
        return 0;
    if (err != NULL)
        (void)snprintf(err->field, sizeof(err->field), "%s", key->name);
    return -1;
}

int queue_settings_set(struct queue_settings *settings, const struct queue_key *key,
                       const char *text, struct error *err)
{
    uint64_t number;
    if (key->kind == QUEUE_KEY_WORD)
        return set_word(settings, key, text, err);
    if (key->kind == QUEUE_KEY_BACKOFF)
        return retry_backoff_parse(text, field(settings, key), err);
    if (key->kind == QUEUE_KEY_RETRY_ON)
        return parse_retry_on(settings, key, text, err);
    if (key->kind == QUEUE_KEY_SPAN) {
        if (parse_span_ms(text, &number, err) < 0)
            return error_set_field(err, key->name,
                                   "%s \"%.40s\" must be a time span such as 90s or 2h", key->name,
                                   text);
    } else if (parse_u64(text, 0, INT64_MAX, &number, err) < 0) {
        return refuse_range(key, text, err);
    }
    return queue_settings_set_number(settings, key, (int64_t)number, err);
}

void queue_settings_text(const struct queue_settings *settings, const struct queue_key *key,
                         char *ret)
{
    const void *at = (const char *)settings + key->offset;
    uint64_t number = queue_settings_number(settings, key);
    if (key->kind == QUEUE_KEY_WORD)
        (void)snprintf(ret, QUEUE_TEXT_MAX, "%s", key->words[number]);
    else if (key->kind == QUEUE_KEY_BACKOFF)
        retry_backoff_format(at, ret);
    else if (key->kind == QUEUE_KEY_RETRY_ON)
        retry_on_format(at, ret);
    else
        (void)snprintf(ret, QUEUE_TEXT_MAX, "%llu%s", (unsigned long long)number,
                       key->kind == QUEUE_KEY_SPAN && number > 0 ? "ms" : "");
}

int queue_name_check(const char *name, struct error *err)
{
    size_t length = strlen(name);
    bool right = length > 0 && length <= QUEUE_NAME_MAX && isalnum((unsigned char)name[0]);
    for (size_t i = 0; i < length && right; i++)
        right = isalnum((unsigned char)name[i]) || strchr("_-.", name[i]) != NULL;
    if (right)
        return 0;
    return error_set_field(err, "queue",
                           "queue \"%.80s\" must have 1 to %u letters, digits, '_', '-' or '.', "
                           "a letter or digit first",
                           name, QUEUE_NAME_MAX);
}

/* ---- words ---- */

const char *queue_policy_word(enum queue_policy policy)
{
    return policy_words[policy];
}

int queue_policy_parse(const char *word, enum queue_policy *ret)
{
    int number = parse_word(policy_words, word);
    if (number < 0)
        return -1;
    *ret = (enum queue_policy)number;
    return 0;
}

const char *queue_backfill_word(enum queue_backfill backfill)
{
    return backfill_words[backfill];
}

int queue_backfill_parse(const char *word, enum queue_backfill *ret)
{
    int number = parse_word(backfill_words, word);
    if (number < 0)
        return -1;
    *ret = (enum queue_backfill)number;
    return 0;
}
