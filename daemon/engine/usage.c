/* What fair share knows of the users: their shares from the configuration, and what they used
 * before this start, computed anew from the store. */
#include "common/clock.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/removal.h"
#include "daemon/store/number_rows.h"
#include "daemon/store/usage_rows.h"

#include <math.h>

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
    if (number_rows_set(engine->db, "seen_at", now, &err) < 0)
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
        scheduler_discharge(engine->scheduler, job->uid, &entry->asked, entry->held_since, now);
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
        scheduler_charge(engine->scheduler, job->uid, &entry->asked, status->started_at, ended_at);
    entry->charged = true;
}

/* ---- of removed jobs ---- */

/* So much that a use of a second in the past counts as what was noted. */
static void charge_past(void *arg, const struct past_use *past)
{
    const struct engine *engine = arg;
    struct fair_share *share = scheduler_share(engine->scheduler);
    int64_t half_life = engine->options.scheduler.half_life_us;
    int64_t began = past->at - US_PER_SECOND;
    double unit = fair_share_past(half_life, 1, began, past->at, past->at);
    fair_share_add(share, fair_share_user(share, past->uid),
                   (double)past->used_us / US_PER_SECOND / unit, began, past->at);
}

int engine_charge_past(struct engine *engine, struct error *err)
{
    return past_use_each(engine->db, charge_past, engine, err);
}

void engine_write_use(struct use_note *note)
{
    struct engine *engine = note->engine;
    struct error err;
    if (note->past.at > 0 && !engine->broken && past_use_put(engine->db, &note->past, &err) < 0)
        engine_break(engine, &err);
    note->past.at = 0;
}

void engine_note_use(void *arg, const struct use *use)
{
    struct use_note *note = arg;
    struct engine *engine = note->engine;
    struct past_use *past = &note->past;
    int64_t half_life = engine->options.scheduler.half_life_us;
    struct error err;
    if (use->started_at <= 0 || use->ended_at <= use->started_at || engine->broken)
        return;
    if (!engine->usage_loaded) /* or it was charged when it ended, or when all were read */
        add_use(engine, use);
    if (past->at > 0 && past->uid != use->uid)
        engine_write_use(note);
    if (past->at == 0 && past_use_load(engine->db, use->uid, past, &err) < 0) {
        engine_break(engine, &err);
        return;
    }
    int64_t at = use->ended_at > past->at ? use->ended_at : past->at;
    double rate = resources_dominant(&use->held, scheduler_total(engine->scheduler));
    double used = fair_share_decay(half_life, (double)past->used_us / US_PER_SECOND, past->at, at) +
                  fair_share_past(half_life, rate, use->started_at, use->ended_at, at);
    past->used_us = llround(used * US_PER_SECOND);
    past->at = at;
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
