#include "daemon/core/estimates.h"

#include "common/alloc.h"
#include "common/crc32c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE 0U /* no class has this number */
#define BUCKETS 16384U

struct class
{
    char *name; /* owned; NULL: this number is free */
    struct run_history *history;
    int64_t published_us, learned_at;
    uint64_t memory_bytes;
    uint32_t uid;
    uint32_t jobs;         /* unfinished ones in it */
    uint32_t next;         /* in its bucket, or in the list of free numbers */
    uint32_t older, newer; /* in the list of its user's idle classes */
    uint32_t next_learned; /* in the list of what is to be stored */
    uint8_t kind;
    bool idle, learned, stored;
};

/* Idle: without an unfinished job. */
struct owner {
    uint32_t uid;
    uint32_t oldest, newest;
    size_t idle;
};

struct lost {
    struct lost *next;
    enum estimate_kind kind;
    uint32_t uid;
    char name[];
};

struct estimates {
    struct class *classes; /* by number */
    uint32_t used, room;
    uint32_t free_head;
    size_t count, limit; /* without queues */
    uint32_t *buckets;
    struct owner *owners; /* few: a linear list */
    size_t owner_count;
    uint32_t learned; /* list */
    struct lost *lost, *told_lost;
    uint64_t changes;
};

static const char *const source_words[ESTIMATE_SOURCE_COUNT] = {
    [ESTIMATE_USER] = "user", [ESTIMATE_LEARNED] = "learned", [ESTIMATE_QUEUE] = "queue"};

const char *estimate_source_word(enum estimate_source source)
{
    return (unsigned)source < ESTIMATE_SOURCE_COUNT ? source_words[source] : NULL;
}

struct estimates *estimates_new(size_t limit)
{
    struct estimates *estimates = xcalloc(1, sizeof(*estimates));
    estimates->limit = limit;
    estimates->used = 1; /* NONE */
    estimates->buckets = xcalloc(BUCKETS, sizeof(uint32_t));
    return estimates;
}

void estimates_free(struct estimates *estimates)
{
    if (estimates == NULL)
        return;
    for (uint32_t number = 1; number < estimates->used; number++) {
        free(estimates->classes[number].name);
        free(estimates->classes[number].history);
    }
    while (estimates->lost != NULL) {
        struct lost *lost = estimates->lost;
        estimates->lost = lost->next;
        free(lost);
    }
    free(estimates->told_lost);
    free(estimates->classes);
    free(estimates->buckets);
    free(estimates->owners);
    free(estimates);
}

/* ---- the hash ---- */

static uint32_t *bucket_of(const struct estimates *estimates, enum estimate_kind kind, uint32_t uid,
                           const char *name)
{
    uint32_t hash = crc32c(uid * ESTIMATE_KIND_COUNT + kind, name, strlen(name));
    return &estimates->buckets[hash % BUCKETS];
}

uint32_t estimates_find(const struct estimates *estimates, enum estimate_kind kind, uint32_t uid,
                        const char *name)
{
    uint32_t number = *bucket_of(estimates, kind, uid, name);
    for (; number != NONE; number = estimates->classes[number].next) {
        const struct class *class = &estimates->classes[number];
        if (class->uid == uid && class->kind == kind && strcmp(class->name, name) == 0)
            break;
    }
    return number;
}

static void unlink_class(struct estimates *estimates, uint32_t number)
{
    struct class *class = &estimates->classes[number];
    uint32_t *link = bucket_of(estimates, class->kind, class->uid, class->name);
    while (*link != number)
        link = &estimates->classes[*link].next;
    *link = class->next;
}

/* ---- idle classes, each user's by age ---- */

static struct owner *owner_of(struct estimates *estimates, uint32_t uid)
{
    for (size_t i = 0; i < estimates->owner_count; i++) {
        if (estimates->owners[i].uid == uid)
            return &estimates->owners[i];
    }
    estimates->owners =
        xreallocarray(estimates->owners, estimates->owner_count + 1, sizeof(*estimates->owners));
    estimates->owners[estimates->owner_count] = (struct owner){.uid = uid};
    return &estimates->owners[estimates->owner_count++];
}

static void begin_idle(struct estimates *estimates, uint32_t number)
{
    struct class *class = &estimates->classes[number];
    struct owner *owner = owner_of(estimates, class->uid);
    class->idle = true;
    class->newer = NONE;
    class->older = owner->newest;
    if (owner->newest != NONE)
        estimates->classes[owner->newest].newer = number;
    else
        owner->oldest = number;
    owner->newest = number;
    owner->idle++;
}

static void end_idle(struct estimates *estimates, uint32_t number)
{
    struct class *class = &estimates->classes[number];
    struct owner *owner = owner_of(estimates, class->uid);
    class->idle = false;
    if (class->older != NONE)
        estimates->classes[class->older].newer = class->newer;
    else
        owner->oldest = class->newer;
    if (class->newer != NONE)
        estimates->classes[class->newer].older = class->older;
    else
        owner->newest = class->older;
    owner->idle--;
}

/* ---- coming and going ---- */

/* What was stored is to be deleted there. */
static void keep_lost(struct estimates *estimates, const struct class *class)
{
    size_t bytes = strlen(class->name) + 1;
    struct lost *lost = xmalloc(sizeof(*lost) + bytes);
    *lost = (struct lost){.next = estimates->lost, .kind = class->kind, .uid = class->uid};
    memcpy(lost->name, class->name, bytes);
    estimates->lost = lost;
}

/* It is idle. One that learned in this turn stays: what is to be stored refers to it. */
static void give_up(struct estimates *estimates, uint32_t number)
{
    struct class *class = &estimates->classes[number];
    end_idle(estimates, number);
    unlink_class(estimates, number);
    if (class->stored)
        keep_lost(estimates, class);
    free(class->name);
    free(class->history);
    *class = (struct class){.next = estimates->free_head};
    estimates->free_head = number;
    estimates->count--;
}

static bool make_room(struct estimates *estimates)
{
    const struct owner *most = NULL;
    for (size_t i = 0; i < estimates->owner_count; i++) {
        const struct owner *owner = &estimates->owners[i];
        if (owner->idle > 0 && (most == NULL || owner->idle > most->idle))
            most = owner;
    }
    if (most == NULL || estimates->classes[most->oldest].learned)
        return false;
    give_up(estimates, most->oldest);
    return true;
}

static uint32_t free_number(struct estimates *estimates)
{
    uint32_t number = estimates->free_head;
    if (number != NONE) {
        estimates->free_head = estimates->classes[number].next;
        return number;
    }
    if (estimates->used >= estimates->room) {
        estimates->room = estimates->room == 0 ? 64 : estimates->room * 2;
        estimates->classes =
            xreallocarray(estimates->classes, estimates->room, sizeof(*estimates->classes));
        estimates->classes[NONE] = (struct class){.name = NULL};
    }
    return estimates->used++;
}

static uint32_t add(struct estimates *estimates, enum estimate_kind kind, uint32_t uid,
                    const char *name)
{
    if (kind != ESTIMATE_OF_QUEUE) {
        if (estimates->count >= estimates->limit && !make_room(estimates))
            return NONE;
        estimates->count++;
    }
    uint32_t number = free_number(estimates);
    uint32_t *bucket = bucket_of(estimates, kind, uid, name);
    estimates->classes[number] =
        (struct class){.name = xstrdup(name), .uid = uid, .kind = (uint8_t)kind, .next = *bucket};
    *bucket = number;
    return number;
}

uint32_t estimates_take(struct estimates *estimates, enum estimate_kind kind, uint32_t uid,
                        const char *name)
{
    uint32_t number = estimates_find(estimates, kind, uid, name);
    if (number == NONE)
        number = add(estimates, kind, uid, name);
    if (number == NONE)
        return NONE;
    if (estimates->classes[number].idle)
        end_idle(estimates, number);
    estimates->classes[number].jobs++;
    return number;
}

void estimates_drop(struct estimates *estimates, uint32_t number)
{
    if (number == NONE)
        return;
    struct class *class = &estimates->classes[number];
    assert(class->jobs > 0);
    if (--class->jobs > 0 || class->kind == ESTIMATE_OF_QUEUE)
        return;
    begin_idle(estimates, number);
    if (class->history == NULL) /* it knows nothing */
        give_up(estimates, number);
}

/* ---- learning ---- */

static void publish(struct estimates *estimates, struct class *class)
{
    const struct run_history *history = class->history;
    int64_t estimate =
        class->kind == ESTIMATE_OF_QUEUE ? history->mean_us : run_history_median(history);
    if (!run_history_matters(history->samples, estimate, class->published_us))
        return;
    class->published_us = estimate;
    estimates->changes++;
}

/* It is to be stored. */
static void note_learned(struct estimates *estimates, uint32_t number, int64_t now)
{
    struct class *class = &estimates->classes[number];
    class->learned_at = now;
    if (class->learned)
        return;
    class->learned = true;
    class->next_learned = estimates->learned;
    estimates->learned = number;
}

static struct class *class_with_history(struct estimates *estimates, uint32_t number)
{
    struct class *class = &estimates->classes[number];
    if (class->history == NULL)
        class->history = xcalloc(1, sizeof(*class->history));
    return class;
}

void estimates_learn(struct estimates *estimates, uint32_t number, int64_t run_us,
                     int64_t predicted_us, int64_t now)
{
    if (number == NONE)
        return;
    struct class *class = class_with_history(estimates, number);
    run_history_add(class->history, run_us, predicted_us);
    publish(estimates, class);
    note_learned(estimates, number, now);
}

void estimates_learn_memory(struct estimates *estimates, uint32_t number, uint64_t memory_bytes,
                            int64_t now)
{
    if (number == NONE || memory_bytes <= estimates->classes[number].memory_bytes)
        return;
    class_with_history(estimates, number)->memory_bytes = memory_bytes;
    note_learned(estimates, number, now);
}

uint64_t estimates_memory(const struct estimates *estimates, uint32_t number)
{
    return number == NONE ? 0 : estimates->classes[number].memory_bytes;
}

int64_t estimates_published(const struct estimates *estimates, uint32_t number)
{
    return number == NONE ? 0 : estimates->classes[number].published_us;
}

uint64_t estimates_changes(const struct estimates *estimates)
{
    return estimates->changes;
}

/* ---- the store ---- */

void estimates_restore(struct estimates *estimates, const struct estimate *stored)
{
    uint32_t number = estimates_take(estimates, stored->kind, stored->uid, stored->name);
    if (number == NONE)
        return;
    struct class *class = &estimates->classes[number];
    free(class->history);
    class->history = xmalloc(sizeof(*class->history));
    *class->history = *stored->history;
    class->published_us = stored->published_us;
    class->learned_at = stored->learned_at;
    class->memory_bytes = stored->memory_bytes;
    class->stored = true;
    estimates_drop(estimates, number);
}

static struct estimate view_of(const struct class *class)
{
    return (struct estimate){.kind = (enum estimate_kind) class->kind,
                             .uid = class->uid,
                             .name = class->name,
                             .published_us = class->published_us,
                             .learned_at = class->learned_at,
                             .memory_bytes = class->memory_bytes,
                             .history = class->history};
}

bool estimates_describe(const struct estimates *estimates, uint32_t number, struct estimate *ret)
{
    if (number == NONE)
        return false;
    *ret = view_of(&estimates->classes[number]);
    return true;
}

bool estimates_next_lost(struct estimates *estimates, struct estimate *ret)
{
    struct lost *lost = estimates->lost;
    free(estimates->told_lost);
    estimates->told_lost = lost;
    if (lost == NULL)
        return false;
    estimates->lost = lost->next;
    *ret = (struct estimate){.kind = lost->kind, .uid = lost->uid, .name = lost->name};
    return true;
}

bool estimates_next_learned(struct estimates *estimates, struct estimate *ret)
{
    uint32_t number = estimates->learned;
    if (number == NONE)
        return false;
    struct class *class = &estimates->classes[number];
    estimates->learned = class->next_learned;
    class->learned = false;
    class->stored = true;
    *ret = view_of(class);
    return true;
}

void estimates_each(const struct estimates *estimates, estimate_fn call, void *arg)
{
    for (uint32_t number = 1; number < estimates->used; number++) {
        const struct class *class = &estimates->classes[number];
        if (class->name == NULL || class->history == NULL || class->history->samples == 0)
            continue;
        const struct estimate one = view_of(class);
        call(arg, &one);
    }
}
