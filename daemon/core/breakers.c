#include "daemon/core/breakers.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct breakers {
    struct breaker_rule rule;
    size_t limit;
    struct breaker_entry **by_class; /* NULL: none */
    uint32_t class_room;
    struct breaker_entry **all; /* in no order */
    size_t count, room, of_queues;
    uint32_t eras;
    uint64_t uses;
};

static const char *const kind_words[ESTIMATE_KIND_COUNT] = {
    [ESTIMATE_OF_NAME] = "name", [ESTIMATE_OF_TYPE] = "type", [ESTIMATE_OF_QUEUE] = "queue"};

char *breakers_key(enum estimate_kind kind, const char *name)
{
    return xasprintf("%s:%s", kind_words[kind], name);
}

const char *breakers_key_parse(const char *key, enum estimate_kind *ret)
{
    for (unsigned kind = 0; kind < ESTIMATE_KIND_COUNT; kind++) {
        size_t length = strlen(kind_words[kind]);
        if (strncmp(key, kind_words[kind], length) == 0 && key[length] == ':') {
            *ret = (enum estimate_kind)kind;
            return key + length + 1;
        }
    }
    return NULL;
}

struct breakers *breakers_new(const struct breaker_rule *rule, size_t limit)
{
    struct breakers *breakers = xcalloc(1, sizeof(*breakers));
    breakers->rule = *rule;
    breakers->limit = limit;
    return breakers;
}

static void destroy(struct breaker_entry *entry)
{
    deadlines_done(&entry->parked);
    free(entry->name);
    free(entry);
}

void breakers_free(struct breakers *breakers)
{
    if (breakers == NULL)
        return;
    for (size_t i = 0; i < breakers->count; i++)
        destroy(breakers->all[i]);
    free(breakers->all);
    free(breakers->by_class);
    free(breakers);
}

const struct breaker_rule *breakers_rule(const struct breakers *breakers)
{
    return &breakers->rule;
}

struct breaker_entry *breakers_find(const struct breakers *breakers, uint32_t class)
{
    return class < breakers->class_room ? breakers->by_class[class] : NULL;
}

/* Numbers are dense: there are few more than classes. */
static void make_room(struct breakers *breakers, uint32_t class)
{
    uint32_t room = breakers->class_room == 0 ? 64 : breakers->class_room;
    while (room <= class)
        room *= 2;
    if (room > breakers->class_room) {
        breakers->by_class =
            xreallocarray(breakers->by_class, room, sizeof(struct breaker_entry *));
        memset(breakers->by_class + breakers->class_room, 0,
               (room - breakers->class_room) * sizeof(struct breaker_entry *));
        breakers->class_room = room;
    }
    if (breakers->count == breakers->room) {
        breakers->room = breakers->room == 0 ? 16 : breakers->room * 2;
        breakers->all =
            xreallocarray(breakers->all, breakers->room, sizeof(struct breaker_entry *));
    }
}

struct breaker_entry *breakers_add(struct breakers *breakers, const struct breaker_entry *as)
{
    assert(as->class != 0 && breakers_find(breakers, as->class) == NULL);
    bool of_queue = as->kind == ESTIMATE_OF_QUEUE;
    if (!of_queue && breakers->count - breakers->of_queues >= breakers->limit)
        return NULL;
    make_room(breakers, as->class);
    struct breaker_entry *entry = xcalloc(1, sizeof(*entry));
    *entry = (struct breaker_entry){.kind = as->kind,
                                    .uid = as->uid,
                                    .class = as->class,
                                    .name = xstrdup(as->name),
                                    .position = (uint32_t)breakers->count};
    breakers->all[breakers->count++] = entry;
    breakers->by_class[as->class] = entry;
    breakers->of_queues += of_queue;
    breakers_use(breakers, entry);
    return entry;
}

void breakers_drop(struct breakers *breakers, struct breaker_entry *entry)
{
    struct breaker_entry *last = breakers->all[--breakers->count];
    breakers->all[entry->position] = last;
    last->position = entry->position;
    breakers->by_class[entry->class] = NULL;
    breakers->of_queues -= entry->kind == ESTIMATE_OF_QUEUE;
    destroy(entry);
}

size_t breakers_count(const struct breakers *breakers)
{
    return breakers->count;
}

struct breaker_entry *breakers_at(const struct breakers *breakers, size_t position)
{
    return breakers->all[position];
}

void breakers_begin_era(struct breakers *breakers, struct breaker_entry *entry)
{
    if (++breakers->eras == 0)
        breakers->eras = 1;
    entry->era = breakers->eras;
}

void breakers_use(struct breakers *breakers, struct breaker_entry *entry)
{
    entry->used = ++breakers->uses;
}

/* ---- whose room is taken ---- */

static int compare_owner(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

/* Of a sorted list the number that is in it most often. */
static uint32_t most_frequent(const uint32_t *owners, size_t count)
{
    uint32_t most = owners[0];
    for (size_t i = 0, longest = 0, run = 0; i < count; i++) {
        run = i > 0 && owners[i] == owners[i - 1] ? run + 1 : 1;
        if (run > longest) {
            longest = run;
            most = owners[i];
        }
    }
    return most;
}

static bool goes_first(const struct breaker_entry *a, const struct breaker_entry *b)
{
    bool closed = a->breaker.state == BREAKER_CLOSED;
    if (b == NULL || closed != (b->breaker.state == BREAKER_CLOSED))
        return b == NULL || closed;
    return a->used < b->used;
}

/* All are looked at, some 0.3 ms: only for a name that fails for the first time while there is no
 * room, and then there is room. */
struct breaker_entry *breakers_victim(const struct breakers *breakers)
{
    struct breaker_entry *victim = NULL;
    size_t count = 0;
    if (breakers->count == breakers->of_queues)
        return NULL;
    uint32_t *owners = xreallocarray(NULL, breakers->count, sizeof(uint32_t));
    for (size_t i = 0; i < breakers->count; i++) {
        if (breakers->all[i]->kind != ESTIMATE_OF_QUEUE)
            owners[count++] = breakers->all[i]->uid;
    }
    qsort(owners, count, sizeof(uint32_t), compare_owner);
    uint32_t most = most_frequent(owners, count);
    free(owners);
    for (size_t i = 0; i < breakers->count; i++) {
        struct breaker_entry *entry = breakers->all[i];
        if (entry->kind != ESTIMATE_OF_QUEUE && entry->uid == most && goes_first(entry, victim))
            victim = entry;
    }
    return victim;
}

/* ---- what waits ---- */

static bool keep_all(const void *arg, uint64_t job)
{
    (void)arg;
    (void)job;
    return true;
}

/* Whether they are parked is only looked at when most are not: of a million it takes some 50 ms. */
void breakers_park(struct breaker_entry *entry, uint64_t job, deadline_open_fn open,
                   const void *arg)
{
    const struct deadline place = {.at = (int64_t)job, .job = job};
    deadlines_add(&entry->parked, &place,
                  entry->waiting < entry->parked.count / 2 ? open : keep_all, arg);
    entry->waiting++;
}

uint64_t breakers_take_parked(struct breaker_entry *entry)
{
    struct deadline first;
    if (deadlines_take(&entry->parked, INT64_MAX, &first))
        return first.job;
    deadlines_done(&entry->parked); /* gives the memory back */
    entry->waiting = 0;
    return 0;
}

void breakers_left(struct breaker_entry *entry)
{
    entry->waiting -= entry->waiting > 0;
}
