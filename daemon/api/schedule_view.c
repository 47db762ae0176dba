#include "daemon/api/schedule_view.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/users.h"
#include "daemon/api/view.h"
#include "daemon/engine/schedules.h"
#include "daemon/resources/zone.h"
#include "daemon/store/schedule_rows.h"

static json_t *view_last_run(const struct api *api, const struct schedule *facts)
{
    struct job_row row;
    if (facts->last_job == 0)
        return json_null();
    json_t *object = json_object();
    json_put_int(object, "id", (int64_t)facts->last_job);
    json_put(object, "submitted_at", view_time(facts->last_run_at));
    if (job_rows_load(engine_db(api->engine), facts->last_job, &row, NULL) < 0) {
        json_put(object, "state", json_null()); /* it is not kept any more */
        return object;
    }
    json_put_text(object, "state", job_state_word(row.status.state));
    json_put(object, "outcome", view_outcome(&row.status.outcome, row.status.state));
    json_put(object, "ended_at", view_time(row.status.ended_at));
    job_row_done(&row);
    return object;
}

static json_t *view_job_text(const struct api *api, const struct schedule *facts)
{
    CLEANUP_FREE char *text = schedule_rows_load_job(engine_db(api->engine), facts->id, NULL);
    json_t *job = text == NULL ? NULL : json_loads(text, 0, NULL);
    (void)json_object_del(job, "env");
    return job == NULL ? json_null() : job;
}

json_t *view_schedule(const struct api *api, const struct planned *planned)
{
    const struct schedule *facts = &planned->facts;
    json_t *object = json_object();
    bool comes = !facts->paused && planned->next_at != INT64_MAX;
    char local[ZONE_TIME_BYTES];
    zone_format(planned->zone, comes ? planned->next_at / US_PER_SECOND : 0, local, sizeof(local));
    json_put_text(object, "name", facts->name);
    json_put_text(object, "user", users_name(api->users, facts->uid));
    json_put_int(object, "uid", facts->uid);
    json_put_text(object, "at", facts->at);
    json_put_text(object, "timezone", facts->zone == NULL ? zone_name(planned->zone) : facts->zone);
    json_put(object, "local", json_boolean(facts->zone == NULL));
    json_put_text(object, "overlap", schedule_overlap_word(facts->overlap));
    json_put_text(object, "catch_up", schedule_catch_up_word(facts->catch_up));
    json_put(object, "paused", json_boolean(facts->paused));
    json_put_int(object, "created_at", facts->created_at);
    json_put(object, "next_at", comes ? json_integer(planned->next_at) : json_null());
    json_put_text(object, "next", comes ? local : NULL);
    json_put(object, "last_run", view_last_run(api, facts));
    json_put(object, "skipped_at", view_time(facts->skipped_at));
    json_put_text(object, "skipped_why", facts->skipped_why);
    json_put(object, "job", view_job_text(api, facts));
    return object;
}
