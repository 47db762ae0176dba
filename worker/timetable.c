#include "worker/timetable.h"

#include "common/clock.h"

static int64_t warning_of(const struct job_run *run)
{
    if (run->timeout_ms == 0 || run->warn_signal == 0)
        return -1;
    return run->warn_ms < run->timeout_ms ? (int64_t)(run->timeout_ms - run->warn_ms) * US_PER_MS
                                          : 0;
}

void timetable_begin(struct timetable *table, const struct job_run *run, int64_t now)
{
    *table = (struct timetable){.since = now,
                                .timeout_us = (int64_t)run->timeout_ms * US_PER_MS,
                                .warn_us = warning_of(run)};
}

int64_t timetable_ran_us(const struct timetable *table, int64_t now)
{
    return table->ran_us + (table->since == 0 ? 0 : now - table->since);
}

void timetable_suspend(struct timetable *table, int64_t halt_at)
{
    table->halt_at = halt_at;
}

void timetable_halt(struct timetable *table, int64_t now)
{
    table->ran_us = timetable_ran_us(table, now);
    table->since = 0;
    table->halt_at = 0;
}

void timetable_resume(struct timetable *table, int64_t now)
{
    table->halt_at = 0;
    if (table->since == 0)
        table->since = now;
}

void timetable_stop(struct timetable *table, int64_t now, int64_t kill_at)
{
    timetable_resume(table, now);
    if (!table->stopping || kill_at < table->kill_at)
        table->kill_at = kill_at;
    table->stopping = true;
}

void timetable_shorten(struct timetable *table, int64_t limit_us)
{
    if (table->timeout_us == 0 || limit_us < table->timeout_us)
        table->timeout_us = limit_us;
}

/* When it will have run so long. */
static int64_t when(const struct timetable *table, int64_t ran_us)
{
    return table->since + ran_us - table->ran_us;
}

enum due timetable_due(struct timetable *table, int64_t now)
{
    if (table->stopping)
        return now >= table->kill_at ? DUE_KILL : DUE_NOTHING;
    if (table->since == 0)
        return DUE_NOTHING;
    if (table->timeout_us > 0 && now >= when(table, table->timeout_us))
        return DUE_TIMEOUT;
    if (table->warn_us >= 0 && now >= when(table, table->warn_us)) {
        table->warn_us = -1;
        return DUE_WARNING;
    }
    return table->halt_at != 0 && now >= table->halt_at ? DUE_HALT : DUE_NOTHING;
}

static int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

int64_t timetable_next(const struct timetable *table)
{
    int64_t next = INT64_MAX;
    if (table->stopping)
        return table->kill_at;
    if (table->since == 0)
        return next;
    if (table->timeout_us > 0)
        next = earlier(next, when(table, table->timeout_us));
    if (table->warn_us >= 0)
        next = earlier(next, when(table, table->warn_us));
    if (table->halt_at != 0)
        next = earlier(next, table->halt_at);
    return next;
}
