/* Of schedules: when a run of each went well last, and when not; and runs that were not made. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/exposition.h"
#include "daemon/api/metrics.h"
#include "daemon/api/verb.h"
#include "daemon/core/meters.h"
#include "daemon/engine/schedules.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
    const struct planned *one = *(const struct planned *const *)a;
    const struct planned *other = *(const struct planned *const *)b;
    return (one->facts.id > other->facts.id) - (one->facts.id < other->facts.id);
}

/* The oldest METRICS_SCHEDULES: whoever adds more pushes none out. The caller frees. */
static const struct planned **choose(const struct api *api, size_t *ret_count)
{
    const size_t count = schedules_count(api->engine);
    const struct planned **chosen = xcalloc(count + 1, sizeof(struct planned *));
    for (size_t i = 0; i < count; i++)
        chosen[i] = schedules_at(api->engine, i);
    qsort(chosen, count, sizeof(struct planned *), by_id);
    *ret_count = count < METRICS_SCHEDULES ? count : METRICS_SCHEDULES;
    return chosen;
}

static void put_time(FILE *out, const char *name, const struct schedule *schedule, int64_t at)
{
    char uid[16];
    (void)snprintf(uid, sizeof(uid), "%u", schedule->uid);
    const struct labels labels = {.name = {"uid", "schedule"}, .value = {uid, schedule->name}};
    exposition_number(out, name, &labels, (double)at / US_PER_SECOND);
}

void metrics_schedules(FILE *out, const struct api *api)
{
    static const char completed[] = "batchd_last_success_timestamp_seconds";
    static const char failed[] = "batchd_last_failure_timestamp_seconds";
    size_t count;
    CLEANUP_FREE const struct planned **chosen = choose(api, &count);
    exposition_family(out, completed, "gauge",
                      "When the newest run of the schedule completed; 0: none is known of.");
    for (size_t i = 0; i < count; i++)
        put_time(out, completed, &chosen[i]->facts, chosen[i]->facts.completed_at);
    exposition_family(out, failed, "gauge",
                      "When the newest run of the schedule failed; 0: none is known of.");
    for (size_t i = 0; i < count; i++)
        put_time(out, failed, &chosen[i]->facts, chosen[i]->facts.failed_at);
}

/* Of the most overdue, if any is, else of the newest run that was made. */
static int64_t lag_us(const struct api *api)
{
    const int64_t now = clock_wall_us();
    int64_t due_at = now;
    for (size_t i = 0; i < schedules_count(api->engine); i++) {
        const struct planned *planned = schedules_at(api->engine, i);
        if (!planned->facts.paused && planned->next_at < due_at)
            due_at = planned->next_at;
    }
    return due_at < now ? now - due_at : api->options.meters->run_lag_us;
}

void metrics_missed(FILE *out, const struct api *api)
{
    static const char name[] = "batchd_schedule_missed_total";
    exposition_family(
        out, name, "counter",
        "How often a run of a schedule was not made, by why; late: once for all that were.");
    for (unsigned i = 0; i < METER_MISSED_COUNT; i++) {
        const struct labels labels = {.name = {"reason"}, .value = {meter_missed_words[i]}};
        exposition_count(out, name, &labels, api->options.meters->missed[i]);
    }
    exposition_gauge(out, "batchd_schedule_lag_seconds",
                     "How late the newest run of a schedule was made, or is by now.",
                     (double)lag_us(api) / US_PER_SECOND);
}
