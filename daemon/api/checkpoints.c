#include "daemon/api/checkpoints.h"

#include "daemon/store/checkpoint_rows.h"

/* Of rows that cannot be read nothing is said here: batchd --check-store does. */

static struct attempt_id id_of(const struct job_status *status)
{
    return (struct attempt_id){.job = status->id,
                               .index = status->index,
                               .attempt = status->attempt,
                               .is_task = status->is_task};
}

static json_t *view_newest(const struct checkpoint_fact *fact)
{
    json_t *object = json_object();
    json_put_int(object, "number", (int64_t)fact->number);
    json_put_int(object, "attempt", fact->attempt);
    json_put_int(object, "made_at", fact->made_at);
    json_put_int(object, "bytes", (int64_t)fact->bytes);
    json_put_int(object, "count", (int64_t)fact->count);
    return object;
}

static json_t *view_resumed(const struct job_notes *notes)
{
    json_t *object = json_object();
    json_put_int(object, "number", (int64_t)notes->resumed_number);
    json_put_int(object, "attempt", notes->resumed_attempt);
    return object;
}

void checkpoints_view_notes(const struct api *api, const struct job_status *status, json_t *object)
{
    const struct attempt_id id = id_of(status);
    struct job_notes notes;
    if (note_rows_load(engine_db(api->engine), &id, &notes, NULL) < 0)
        notes = (struct job_notes){.resumed_number = 0};
    json_put(object, "resumed_from",
             notes.resumed_number == 0 ? json_null() : view_resumed(&notes));
    json_put_text(object, "note", notes.text[0] == '\0' ? NULL : notes.text);
}

void checkpoints_view(const struct api *api, const struct job_status *status, json_t *object)
{
    const struct attempt_id id = id_of(status);
    struct checkpoint_fact fact;
    if (checkpoint_rows_load(engine_db(api->engine), &id, &fact, NULL) < 0)
        fact = (struct checkpoint_fact){.number = 0};
    json_put(object, "checkpoint", fact.number == 0 ? json_null() : view_newest(&fact));
    checkpoints_view_notes(api, status, object);
}
