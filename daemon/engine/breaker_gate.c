/* Who waits for a breaker: what begins to wait and what was chosen are asked for, all are told of
 * one that opens, and what waited goes back when it closes, or a few when it is half-open. */
#include "common/clock.h"
#include "daemon/core/running_set.h"
#include "daemon/engine/internal.h"

#define RELEASED_A_TURN 1024U /* each some 2 us: out of one tree, into another */
#define RELEASES_A_UNIT 10    /* of engine_work: arrays may have to be read */
#define LOOKED_AT_A_TURN 2048U
#define REFUSED_A_TURN 1024U
#define OFFERS_EACH_US US_PER_SECOND

struct breaker_entry *engine_breaker_of_name(const struct engine *engine, const struct job *job)
{
    return engine->options.breakers.names ? breakers_find(engine->breaking.set, job_class(job))
                                          : NULL;
}

struct breaker_entry *engine_breaker_of_queue(const struct engine *engine, const struct job *job)
{
    return engine->options.breakers.queues
               ? breakers_find(engine->breaking.set, engine->learning.queues[job->queue])
               : NULL;
}

static bool refuses(const struct engine *engine, const struct breaker_entry *entry)
{
    return entry != NULL && !breaker_allows(&entry->breaker, breakers_rule(engine->breaking.set));
}

struct breaker_entry *engine_breaker_of(const struct engine *engine, const struct job *job)
{
    struct breaker_entry *entry = engine_breaker_of_name(engine, job);
    if (refuses(engine, entry))
        return entry;
    entry = engine_breaker_of_queue(engine, job);
    return refuses(engine, entry) ? entry : NULL;
}

bool engine_breaker_keeps(const struct engine *engine, const struct job *job)
{
    return job_blocked_by(job, JOB_BREAKER) || engine_breaker_of(engine, job) != NULL;
}

static bool is_calm(const struct engine *engine, const struct breaker_entry *entry)
{
    return entry == NULL || breaker_calm(&entry->breaker, breakers_rule(engine->breaking.set));
}

/* Of its name nothing has ended well so far, and one of them is at a worker already. */
static bool is_untried(const struct engine *engine, const struct job *job)
{
    if (!engine->options.breakers.names || job_class(job) == 0 ||
        estimates_published(engine->learning.estimates, job_class(job)) > 0)
        return false;
    const struct active *entry = engine->active;
    while (entry != NULL &&
           job_class(jobset_find(engine->jobs, entry->status.id)) != job_class(job))
        entry = entry->next;
    return entry != NULL;
}

bool engine_breaker_calm(const struct engine *engine, const struct job *job)
{
    return is_calm(engine, engine_breaker_of_name(engine, job)) &&
           is_calm(engine, engine_breaker_of_queue(engine, job));
}

bool engine_breaker_allows_ahead(const struct engine *engine, const struct job *job)
{
    return engine_breaker_calm(engine, job) && !is_untried(engine, job);
}

/* ---- what waits ---- */

static bool is_parked(const void *arg, uint64_t id)
{
    const struct engine *engine = arg;
    const struct job *job = jobset_find(engine->jobs, id);
    return job != NULL && job_blocked_by(job, JOB_BREAKER);
}

static void park(struct engine *engine, struct breaker_entry *entry, struct job *job)
{
    jobset_block(engine->jobs, job, JOB_BREAKER);
    breakers_park(entry, job->id, is_parked, engine);
}

bool engine_breaker_admits(struct engine *engine, struct job *job)
{
    if (job_blocked_by(job, JOB_BREAKER))
        return false;
    struct breaker_entry *entry = engine_breaker_of(engine, job);
    if (entry != NULL)
        park(engine, entry, job);
    return entry == NULL;
}

bool engine_breaker_lets_start(struct engine *engine, struct job *job, bool *ret_stop)
{
    *ret_stop = false;
    if (engine_breaker_admits(engine, job))
        return true;
    if (engine->unplaced == job)
        engine->unplaced = NULL;
    engine->breaking.more = ++engine->breaking.refused >= REFUSED_A_TURN;
    *ret_stop = engine->breaking.more;
    return false;
}

/* It may have to wait for another one now. */
static void unpark(struct engine *engine, struct job *job, int64_t now)
{
    engine_unblock(engine, job, JOB_BREAKER, now);
    (void)engine_breaker_admits(engine, job);
}

void engine_breaker_left(struct engine *engine, const struct job *job)
{
    if (!job_blocked_by(job, JOB_BREAKER))
        return;
    struct breaker_entry *entry = engine_breaker_of_name(engine, job);
    if (entry == NULL || entry->waiting == 0)
        entry = engine_breaker_of_queue(engine, job);
    if (entry != NULL)
        breakers_left(entry);
}

void engine_breaker_recheck(struct engine *engine, struct job *job, int64_t now)
{
    if (job_blocked_by(job, JOB_BREAKER))
        unpark(engine, job, now);
}

/* Whether the turn has time for more. */
static bool may_release(const struct engine *engine)
{
    const struct breaking *breaking = &engine->breaking;
    return breaking->released + (engine_work(engine) - breaking->begun) * RELEASES_A_UNIT <
           RELEASED_A_TURN;
}

/* The next that is parked goes back to its queue; what is parked no more is passed over. False: it
 * has none. */
static bool release_one(struct engine *engine, struct breaker_entry *entry, int64_t now,
                        bool *ret_queued)
{
    uint64_t id = breakers_take_parked(entry);
    *ret_queued = false;
    if (id == 0)
        return false;
    engine->breaking.released++;
    if (is_parked(engine, id)) {
        struct job *job = jobset_find(engine->jobs, id);
        breakers_left(entry);
        unpark(engine, job, now);
        *ret_queued = job->queued;
    }
    return true;
}

/* As many as may be probes are let to their queue, each second more while they cannot start there:
 * which of them does so first is the scheduler's to say. */
static void offer(struct engine *engine, struct breaker_entry *entry, int64_t now)
{
    uint32_t room = breaker_room(&entry->breaker, breakers_rule(engine->breaking.set));
    bool queued = false;
    while (room > 0 && may_release(engine) && release_one(engine, entry, now, &queued))
        room -= queued;
}

/* ---- each turn ---- */

/* All are looked at, since few are open: when one is due, and each second while one is half-open
 * and has room, or in the next turn when this one has no time to find what may start. */
static void look(struct engine *engine, int64_t now)
{
    struct breaking *breaking = &engine->breaking;
    const struct breaker_rule *rule = breakers_rule(breaking->set);
    int64_t next = NEVER;
    for (size_t i = 0; i < breakers_count(breaking->set); i++) {
        struct breaker_entry *entry = breakers_at(breaking->set, i);
        if (breaker_advance(&entry->breaker, rule, now))
            engine_breaker_changed(engine, entry);
        int64_t due = NEVER;
        if (entry->breaker.state == BREAKER_OPEN)
            due = entry->breaker.until;
        if (breaker_room(&entry->breaker, rule) > 0) {
            offer(engine, entry, now);
            due = now + OFFERS_EACH_US;
        }
        next = due < next ? due : next;
    }
    breaking->due_at = may_release(engine) ? next : now;
}

static bool any_releases(const struct breakers *set)
{
    size_t i = 0;
    while (i < breakers_count(set) && !breakers_at(set, i)->releasing)
        i++;
    return i < breakers_count(set);
}

static void release(struct engine *engine, int64_t now)
{
    struct breaking *breaking = &engine->breaking;
    bool queued;
    if (!breaking->releasing)
        return;
    for (size_t i = 0; i < breakers_count(breaking->set); i++) {
        struct breaker_entry *entry = breakers_at(breaking->set, i);
        while (entry->releasing && may_release(engine)) {
            entry->releasing = release_one(engine, entry, now, &queued);
            if (!entry->releasing)
                engine_breaker_touch(engine, entry); /* it may be given up now */
        }
    }
    breaking->releasing = any_releases(breaking->set);
}

static void block(void *arg, struct job *job)
{
    if (job_is_array(job) || job_state_of(job) == JOB_STATE_PENDING)
        (void)engine_breaker_admits(arg, job);
}

/* All jobs are told that one has opened. */
static void walk(struct engine *engine)
{
    struct breaking *breaking = &engine->breaking;
    if (breaking->walk_at == 0 && breaking->told == breaking->openings)
        return;
    if (breaking->walk_at == 0)
        breaking->telling = breaking->openings;
    jobset_look(engine->jobs, &breaking->walk_at, LOOKED_AT_A_TURN, block, engine);
    if (breaking->walk_at == 0)
        breaking->told = breaking->telling;
}

void engine_breakers_due(struct engine *engine, int64_t now)
{
    struct breaking *breaking = &engine->breaking;
    breaking->refused = breaking->released = 0;
    breaking->begun = engine_work(engine);
    breaking->more = false;
    if (now >= breaking->due_at || now < breaking->looked_at)
        look(engine, now);
    breaking->looked_at = now;
    release(engine, now);
    walk(engine);
}

bool engine_breakers_unfinished(const struct engine *engine)
{
    const struct breaking *breaking = &engine->breaking;
    return breaking->releasing || breaking->more || breaking->told != breaking->openings ||
           breaking->due_at <= breaking->looked_at;
}

/* ---- in a copy of the process ---- */

/* It begins then, or when it was to begin anyway if that is later. */
static void begin_at(struct engine *engine, struct job *job, int64_t at)
{
    if (alarms_have(&engine->begins, job)) {
        int64_t own = engine->begins.entries[job->alarm_at].at;
        at = own > at ? own : at;
        alarms_clear(&engine->begins, job);
    }
    jobset_block(engine->jobs, job, JOB_LATER);
    jobset_unblock(engine->jobs, job, JOB_BREAKER, at);
    alarms_set(&engine->begins, job, at);
}

void engine_breakers_as_begins(struct engine *engine)
{
    const struct breakers *set = engine->breaking.set;
    for (size_t i = 0; i < breakers_count(set); i++) {
        struct breaker_entry *entry = breakers_at(set, i);
        if (entry->breaker.state != BREAKER_OPEN)
            continue;
        uint64_t id;
        while ((id = breakers_take_parked(entry)) != 0) {
            if (is_parked(engine, id))
                begin_at(engine, jobset_find(engine->jobs, id), entry->breaker.until);
        }
    }
}
