/* What fair share knows of the users: their shares from the configuration, and what they used
 * before this start, computed anew from the store. */
#include "common/clock.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/store/usage_rows.h"

/* After so many half-lives less than a billionth is left. */
#define HALF_LIVES 30

/* One small commit a minute when nothing else is written. */
#define SEEN_EVERY_US (60 * US_PER_SECOND)

void engine_note_seen(struct engine *engine, int64_t now)
{
    struct error err;
    if (engine->broken || engine->active == NULL ||
        (now >= engine->seen_at && now < engine->seen_at + SEEN_EVERY_US))
        return;
    if (db_set_number(engine->db, "seen_at", now, &err) < 0)
        engine_break(engine, &err);
    engine->seen_at = now;
}

void engine_set_shares(struct engine *engine)
{
    struct fair_share *share = scheduler_share(engine->scheduler);
    for (size_t i = 0; i < engine->options.share_count; i++) {
        const struct user_shares *one = &engine->options.shares[i];
        fair_share_set(share, fair_share_user(share, one->uid), one->shares);
    }
}

/* What ended later is charged when it ends. */
static void add_use(void *arg, const struct use *use)
{
    const struct engine *engine = arg;
    if (use->ended_at <= engine->started_at)
        scheduler_charge(engine->scheduler, use->uid, &use->held, use->started_at, use->ended_at);
}

void engine_discharge(struct engine *engine, struct active *entry, int64_t now)
{
    const struct job *job = jobset_find(engine->jobs, entry->status.id);
    if (entry->held_since > 0)
        scheduler_discharge(engine->scheduler, job->uid, scheduler_wanted(engine->scheduler, job),
                            entry->held_since, now);
    entry->held_since = 0;
}

void engine_charge(struct engine *engine, struct active *entry, int64_t now)
{
    const struct job_status *status = &entry->status;
    const struct job *job = jobset_find(engine->jobs, status->id);
    int64_t ended_at = status->ended_at > 0 ? status->ended_at : now;
    engine_discharge(engine, entry, now);
    if (!entry->charged && status->started_at > 0 &&
        (engine->usage_loaded || ended_at > engine->started_at))
        scheduler_charge(engine->scheduler, job->uid, scheduler_wanted(engine->scheduler, job),
                         status->started_at, ended_at);
    entry->charged = true;
}

int engine_load_usage(struct engine *engine, struct error *err)
{
    int64_t half_life = engine->options.scheduler.half_life_us;
    int64_t since = 0;
    if (engine->usage_loaded)
        return 0;
    engine->usage_loaded = true;
    if (half_life > 0 && half_life < engine->started_at / HALF_LIVES)
        since = engine->started_at - HALF_LIVES * half_life;
    return usage_rows_each(engine->db, since, add_use, engine, err);
}
