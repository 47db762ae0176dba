/* Of schedules: when a run of each went well last, and when not; and runs that were not made. */
#include "common/clock.h"
#include "daemon/api/exposition.h"
#include "daemon/api/metrics.h"
#include "daemon/api/verb.h"
#include "daemon/core/meters.h"
#include "daemon/engine/schedules.h"

static void put_times(FILE *out, const struct api *api, const char *name, bool completed)
{
    const size_t count = schedules_count(api->engine);
    char uid[16];
    for (size_t i = 0; i < count && i < METRICS_SCHEDULES; i++) {
        const struct planned *planned = schedules_at(api->engine, i);
        const int64_t at = completed ? planned->completed_at : planned->failed_at;
        (void)snprintf(uid, sizeof(uid), "%u", planned->facts.uid);
        const struct labels labels = {.name = {"uid", "schedule"},
                                      .value = {uid, planned->facts.name}};
        exposition_number(out, name, &labels, (double)at / US_PER_SECOND);
    }
}

void metrics_schedules(FILE *out, const struct api *api)
{
    static const char completed[] = "batchd_last_success_timestamp_seconds";
    static const char failed[] = "batchd_last_failure_timestamp_seconds";
    exposition_family(out, completed, "gauge",
                      "When the newest run of the schedule completed; 0: none is known of.");
    put_times(out, api, completed, true);
    exposition_family(out, failed, "gauge",
                      "When the newest run of the schedule failed; 0: none is known of.");
    put_times(out, api, failed, false);
}

void metrics_missed(FILE *out, const struct api *api)
{
    static const char name[] = "batchd_schedule_missed_total";
    exposition_family(out, name, "counter", "Runs of schedules that were not made, by why.");
    for (unsigned i = 0; i < METER_MISSED_COUNT; i++) {
        const struct labels labels = {.name = {"reason"}, .value = {meter_missed_words[i]}};
        exposition_count(out, name, &labels, api->options.meters->missed[i]);
    }
}
