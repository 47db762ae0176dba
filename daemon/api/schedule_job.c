#include "daemon/api/schedule_job.h"

#include "common/cleanup.h"
#include "common/words.h"
#include "daemon/api/array_values.h"
#include "daemon/api/submit_spec.h"

#include <string.h>

/* Runs have the schedule's name, and its mark as a tag unless that one is used otherwise. */
static void put_marks(json_t *job, const char *name)
{
    json_t *tags = json_object_get(job, "tags");
    if (!json_is_object(tags)) {
        tags = json_object();
        json_put(job, "tags", tags);
    }
    if (json_object_get(tags, "cron") == NULL)
        json_put_text(tags, "cron", name);
    json_put_text(job, "name", name);
}

int schedule_job_decode(void *api, const struct schedule *schedule, const char *job,
                        struct job_facts *ret, struct error *err)
{
    const struct api_call call = {.api = api, .uid = schedule->uid, .gid = schedule->gid};
    CLEANUP_JSON json_t *params = json_loads(job, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(params))
        return error_set(err, ERROR_DAMAGED, "the job of a schedule is no JSON object");
    put_marks(params, schedule->name);
    return submit_spec_decode(&call, params, ret, err);
}

int schedule_job_check(const json_t *job, struct error *err)
{
    static const char *const decided[] = {"name", "key", "begin", "deadline", "dry_run"};
    if (array_values_given(job))
        return error_set_field(err, "values", "values go with Submit, not with a schedule");
    if (json_only_known(job, submit_fields, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(decided) / sizeof(decided[0]); i++) {
        const json_t *value = json_object_get(job, decided[i]);
        if (value != NULL && !json_is_null(value))
            return error_set_field(err, decided[i],
                                   "%s is the schedule's to say; leave it out of its job",
                                   decided[i]);
    }
    return 0;
}

static void drop_null(json_t *object)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, name, value)
    {
        if (json_is_null(value))
            (void)json_object_del(object, name);
    }
}

/* A command in the place of a job type, or the other way round. */
static void drop_other_kind(json_t *job, const json_t *changes)
{
    if (json_is_array(json_object_get(changes, "argv"))) {
        (void)json_object_del(job, "type");
        (void)json_object_del(job, "params");
    } else if (json_is_string(json_object_get(changes, "type"))) {
        (void)json_object_del(job, "argv");
        (void)json_object_del(job, "params");
    }
}

json_t *schedule_job_changed(const json_t *job, const json_t *changes)
{
    static const char *const inside[] = {"env", "tags", "params", "resources"};
    json_t *changed = json_deep_copy(job);
    const char *name;
    json_t *value;
    drop_other_kind(changed, changes);
    json_object_foreach((json_t *)(uintptr_t)changes, name, value) {
        json_t *old = json_object_get(changed, name);
        const bool merges = words_find(inside, sizeof(inside) / sizeof(inside[0]), name) >= 0;
        if (merges && json_is_object(old) && json_is_object(value)) {
            (void)json_object_update(old, value);
            drop_null(old);
        } else {
            json_put(changed, name, json_incref(value));
        }
    }
    drop_null(changed);
    return changed;
}
