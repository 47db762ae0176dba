/* What changes a breaker: the ends of attempts, its probes, and orders. */
#include "daemon/engine/internal.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <sysexits.h>

static void tell_change(struct engine *engine, const struct breaker_entry *entry)
{
    CLEANUP_FREE char *key = breakers_key(entry->kind, entry->name);
    struct bus_breaker breaker = {.state = entry->breaker.state,
                                  .everybody = entry->kind == ESTIMATE_OF_QUEUE,
                                  .until = entry->breaker.until,
                                  .name = key};
    const struct bus_event event = {.at = clock_wall_us(),
                                    .uid = entry->uid,
                                    .kind = BUS_BREAKER,
                                    .exit_code = -1,
                                    .breaker = &breaker};
    bus_add(engine->bus, event);
    char owner[32] = ""; /* a queue has none */
    if (entry->kind != ESTIMATE_OF_QUEUE)
        (void)snprintf(owner, sizeof(owner), " of uid %u", entry->uid);
    log_info("breaker %s%s is %s: %u of its last %u ended badly", key, owner,
             breaker_state_word(entry->breaker.state), breaker_failures(&entry->breaker),
             entry->breaker.ends);
}

void engine_breaker_touch(struct engine *engine, struct breaker_entry *entry)
{
    entry->changed = true;
    engine->breaking.changed = true;
}

void engine_breaker_changed(struct engine *engine, struct breaker_entry *entry)
{
    struct breaking *breaking = &engine->breaking;
    engine_breaker_touch(engine, entry);
    entry->releasing = false;
    breaking->due_at = 0;
    switch (entry->breaker.state) {
    case BREAKER_OPEN:
    case BREAKER_FORCED_OPEN:
        breaking->openings++;
        break;
    case BREAKER_HALF_OPEN:
        breakers_begin_era(breaking->set, entry);
        break;
    case BREAKER_CLOSED:
    case BREAKER_DISABLED:
        entry->releasing = breaking->releasing = true;
        entry->last = 0;
        break;
    case BREAKER_STATE_COUNT:
        break;
    }
    tell_change(engine, entry);
}

static void keep_failure(struct breaker_entry *entry, const struct job_status *status)
{
    entry->failed = (struct breaker_failure){.at = status->ended_at,
                                             .class = status->outcome.class,
                                             .exit_code = status->outcome.exit_code,
                                             .signal = status->outcome.signal};
}

/* What a processor says is this job's own: a parameter, damaged data, a quality lower than asked.
 * Of the next job of its type it tells nothing. */
static bool is_jobs_own(const struct outcome *outcome)
{
    return outcome->class == OUTCOME_PROCESSOR &&
           (outcome->exit_code == EX_USAGE || outcome->exit_code == EX_DATAERR);
}

/* What nobody of the job's caused does not count. */
static bool counts(const struct active *entry, bool *ret_failed)
{
    enum outcome_class class = entry->status.outcome.class;
    *ret_failed = class != OUTCOME_SUCCESS;
    return class != OUTCOME_NONE && class != OUTCOME_LOST && class != OUTCOME_CANCELLED &&
           !is_jobs_own(&entry->status.outcome) && !entry->status.cancelling &&
           entry->deadline_passed == 0;
}

/* Room for one more is made by giving up another: at once when nothing waits for that. */
static void make_room(struct engine *engine)
{
    struct breaker_entry *victim = breakers_victim(engine->breaking.set);
    if (victim == NULL)
        return;
    (void)breaker_order(&victim->breaker, BREAKER_RESET, clock_wall_us());
    engine_breaker_changed(engine, victim);
    engine_store_breakers(engine);
}

static struct breaker_entry *make(struct engine *engine, enum estimate_kind kind, uint32_t uid,
                                  const char *name)
{
    struct breakers *set = engine->breaking.set;
    uint32_t class = estimates_take(engine->learning.estimates, kind, uid, name);
    struct breaker_entry as = {.kind = kind, .uid = uid, .class = class};
    struct breaker_entry *entry = class == 0 ? NULL : breakers_find(set, class);
    if (class == 0)
        return NULL;
    as.name = (char *)(uintptr_t)name;
    if (entry != NULL) {
        estimates_drop(engine->learning.estimates, class);
        return entry;
    }
    entry = breakers_add(set, &as);
    if (entry == NULL) {
        make_room(engine);
        entry = breakers_add(set, &as);
    }
    if (entry == NULL)
        estimates_drop(engine->learning.estimates, class);
    return entry;
}

struct breaker_entry *engine_breaker_make(struct engine *engine, enum estimate_kind kind,
                                          uint32_t uid, const char *name)
{
    return engine_breaker_known(engine, kind, uid, name) ? make(engine, kind, uid, name) : NULL;
}

/* Its breaker, made when something failed that is to be remembered. */
static struct breaker_entry *needed(struct engine *engine, uint32_t class, bool failed)
{
    struct breaker_entry *entry = breakers_find(engine->breaking.set, class);
    struct estimate known;
    if (entry != NULL || !failed || !estimates_describe(engine->learning.estimates, class, &known))
        return entry;
    return make(engine, known.kind, known.uid, known.name);
}

static void count_end(struct engine *engine, uint32_t class, const struct active *active,
                      const struct job *job)
{
    const struct breaker_rule *rule = breakers_rule(engine->breaking.set);
    bool failed;
    if (!counts(active, &failed))
        return;
    struct breaker_entry *entry = needed(engine, class, failed);
    if (entry == NULL || entry->breaker.state != BREAKER_CLOSED)
        return;
    if (entry->kind == ESTIMATE_OF_QUEUE && failed && job_class(job) != 0) {
        if (entry->last == job_class(job))
            return;
        entry->last = job_class(job);
    }
    if (failed)
        keep_failure(entry, &active->status);
    breakers_use(engine->breaking.set, entry);
    engine_breaker_touch(engine, entry);
    if (breaker_ended(&entry->breaker, rule, failed, clock_wall_us()))
        engine_breaker_changed(engine, entry);
}

/* The breaker of which the attempt is still a probe, or NULL; it is none any more. */
static struct breaker_entry *end_probe(struct engine *engine, struct active_probe *probe)
{
    struct breaker_entry *entry = breakers_find(engine->breaking.set, probe->class);
    bool is_one = probe->era != 0 && entry != NULL && entry->era == probe->era &&
                  entry->breaker.state == BREAKER_HALF_OPEN && entry->breaker.probing > 0;
    *probe = (struct active_probe){.class = 0};
    return is_one ? entry : NULL;
}

static void count_probe(struct engine *engine, struct breaker_entry *entry,
                        const struct active *active)
{
    bool failed;
    bool changed = false;
    if (!counts(active, &failed)) {
        breaker_give_back(&entry->breaker);
        engine->breaking.due_at = 0; /* another one may start */
        return;
    }
    if (failed)
        keep_failure(entry, &active->status);
    changed = breaker_probe_ended(&entry->breaker, breakers_rule(engine->breaking.set), failed,
                                  clock_wall_us());
    engine_breaker_touch(engine, entry);
    if (changed)
        engine_breaker_changed(engine, entry);
}

static void take_probe(struct breaker_entry *entry, struct active_probe *probe)
{
    if (entry->breaker.state != BREAKER_HALF_OPEN)
        return;
    breaker_take_probe(&entry->breaker);
    *probe = (struct active_probe){.class = entry->class, .era = entry->era};
}

void engine_breaker_started(struct engine *engine, const struct job *job, struct active *active)
{
    struct breaker_entry *const both[ACTIVE_PROBES] = {engine_breaker_of_name(engine, job),
                                                       engine_breaker_of_queue(engine, job)};
    for (size_t i = 0; i < ACTIVE_PROBES; i++) {
        if (both[i] != NULL)
            take_probe(both[i], &active->probes[i]);
    }
}

void engine_breaker_adopt(struct engine *engine, struct active *active)
{
    const struct job *job = jobset_find(engine->jobs, active->status.id);
    struct breaker_entry *const both[ACTIVE_PROBES] = {engine_breaker_of_name(engine, job),
                                                       engine_breaker_of_queue(engine, job)};
    int64_t began = active->status.started_at;
    for (size_t i = 0; i < ACTIVE_PROBES; i++) {
        if (both[i] != NULL && (began == 0 || began >= both[i]->breaker.changed_at))
            take_probe(both[i], &active->probes[i]);
    }
}

void engine_breaker_ended(struct engine *engine, struct active *active)
{
    const struct breaker_options *options = &engine->options.breakers;
    const struct job *job = jobset_find(engine->jobs, active->status.id);
    const uint32_t classes[ACTIVE_PROBES] = {options->names ? job_class(job) : 0,
                                             options->queues ? engine->learning.queues[job->queue]
                                                             : 0};
    for (size_t i = 0; i < ACTIVE_PROBES; i++) {
        struct breaker_entry *entry = end_probe(engine, &active->probes[i]);
        if (entry != NULL)
            count_probe(engine, entry, active);
        else if (classes[i] != 0)
            count_end(engine, classes[i], active, job);
    }
}

void engine_breaker_returned(struct engine *engine, struct active *active)
{
    for (size_t i = 0; i < ACTIVE_PROBES; i++) {
        struct breaker_entry *entry = end_probe(engine, &active->probes[i]);
        if (entry == NULL)
            continue;
        breaker_give_back(&entry->breaker);
        engine->breaking.due_at = 0;
    }
    (void)engine_breaker_admits(engine, jobset_find(engine->jobs, active->status.id));
}

void engine_breaker_order(struct engine *engine, struct breaker_entry *entry,
                          enum breaker_event order)
{
    (void)breaker_order(&entry->breaker, order, clock_wall_us());
    engine_breaker_changed(engine, entry);
}

void engine_breaker_queue_gone(struct engine *engine, uint8_t number)
{
    struct breaker_entry *entry =
        breakers_find(engine->breaking.set, engine->learning.queues[number]);
    if (entry != NULL)
        engine_breaker_order(engine, entry, BREAKER_RESET);
}
