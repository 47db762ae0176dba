/* The breakers over restarts. What is durable: the state of each, the ends in its window, since
 * when and until when; a row for each that there is, written once a turn in the transaction of the
 * ends that changed it, and deleted with it. So a name of which nothing failed costs no write.
 * Which attempts are probes is not in it: after a restart they are those of a half-open breaker
 * that began since it is so. */
#include "daemon/engine/internal.h"
#include "daemon/store/breaker_rows.h"

void engine_begin_breakers(struct engine *engine)
{
    engine->breaking.set = breakers_new(&engine->options.breakers.rule, BREAKERS_MAX);
}

void engine_end_breakers(struct engine *engine)
{
    breakers_free(engine->breaking.set);
}

const struct breakers *engine_breakers(const struct engine *engine)
{
    return engine->breaking.set;
}

bool engine_breaker_known(const struct engine *engine, enum estimate_kind kind, uint32_t uid,
                          const char *name)
{
    return estimates_find(engine->learning.estimates, kind, uid, name) != 0;
}

static void restore(void *arg, const struct breaker_entry *stored)
{
    struct engine *engine = arg;
    struct breaking *breaking = &engine->breaking;
    struct breaker_entry as = *stored;
    as.class = estimates_take(engine->learning.estimates, stored->kind, stored->uid, stored->name);
    struct breaker_entry *entry = as.class == 0 ? NULL : breakers_add(breaking->set, &as);
    if (entry == NULL) {
        estimates_drop(engine->learning.estimates, as.class);
        return;
    }
    entry->breaker = stored->breaker;
    entry->failed = stored->failed;
    entry->stored = true;
    if (entry->breaker.state == BREAKER_HALF_OPEN)
        breakers_begin_era(breaking->set, entry);
    breaking->openings = 1; /* all jobs are to be told */
}

int engine_load_breakers(struct engine *engine, struct error *err)
{
    return breaker_rows_each(engine->db, restore, engine, err);
}

void engine_recount_probes(struct engine *engine)
{
    for (struct active *entry = engine->active; entry != NULL; entry = entry->next)
        engine_breaker_adopt(engine, entry);
}

/* Nothing is to be remembered of it, and nothing waits for it. */
static bool is_over(const struct breaker_entry *entry)
{
    return breaker_blank(&entry->breaker) && entry->parked.count == 0;
}

static int store_one(struct engine *engine, struct breaker_entry *entry, struct error *err)
{
    bool over = is_over(entry);
    int result = 0;
    entry->changed = false;
    if (!over)
        result = breaker_rows_put(engine->db, entry, err);
    else if (entry->stored)
        result = breaker_rows_delete(engine->db, entry, err);
    entry->stored = true;
    if (over) {
        estimates_drop(engine->learning.estimates, entry->class);
        breakers_drop(engine->breaking.set, entry);
    }
    return result;
}

void engine_store_breakers(struct engine *engine)
{
    struct breakers *set = engine->breaking.set;
    struct error err;
    if (!engine->breaking.changed)
        return;
    /* From the last, since the last takes the place of one that is dropped. */
    for (size_t i = breakers_count(set); i > 0 && !engine->broken; i--) {
        struct breaker_entry *entry = breakers_at(set, i - 1);
        if (entry->changed && store_one(engine, entry, &err) < 0)
            engine_break(engine, &err);
    }
    engine->breaking.changed = false;
}
