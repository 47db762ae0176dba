#include "daemon/api/tasks.h"

#include "daemon/core/job_request.h"
#include "daemon/store/cancelled_rows.h"
#include "daemon/store/task_rows.h"

#include <stdio.h>

void tasks_done(struct tasks *tasks)
{
    array_spec_done(&tasks->spec);
    task_ranges_done(&tasks->named);
}

static bool is_given(const json_t *value)
{
    return value != NULL && !json_is_null(value);
}

bool tasks_are_named(const json_t *object)
{
    return is_given(json_object_get(object, "index")) ||
           is_given(json_object_get(object, "indices"));
}

static int not_found(struct error *err)
{
    err->code = ERROR_NOT_FOUND;
    return -1;
}

/* "index" as a selection; else the text of "indices", or NULL. */
static int read_words(const json_t *object, char number[24], const char **ret, struct error *err)
{
    int64_t index = -1;
    if (json_get_int(object, "index", false, 0, ARRAY_INDEX_MAX, &index, err) < 0 ||
        json_get_string(object, "indices", false, ret, err) < 0)
        return -1;
    if (index < 0)
        return 0;
    if (*ret != NULL)
        return error_set_field(err, "indices", "index and indices exclude each other");
    (void)snprintf(number, 24, "%lld", (long long)index);
    *ret = number;
    return 0;
}

int tasks_read(const json_t *object, const struct job_row *row, struct tasks *ret,
               struct error *err)
{
    char number[24];
    const char *words = NULL;
    struct tasks tasks = {.spec = {.ranges = NULL}};
    unsigned long long id = row->facts.id;
    if (read_words(object, number, &words, err) < 0)
        return -1;
    const char *field = words == number ? "index" : "indices";
    if (row->facts.array == NULL) {
        (void)error_set_field(err, field, "job %llu is no array, so it has no task %.80s", id,
                              words == NULL ? "" : words);
        return not_found(err);
    }
    if (array_spec_parse(row->facts.array, UINT64_MAX, &tasks.spec, err) < 0)
        return -1;
    int result = 0;
    if (words == NULL)
        task_ranges_add(&tasks.named, 0, tasks.spec.total - 1);
    else
        result = task_ranges_select(&tasks.spec, words, &tasks.named, err);
    if (result == 0) {
        *ret = tasks;
        return 0;
    }
    tasks_done(&tasks);
    if (words != number)
        return -1;
    (void)error_set_field(err, "index", "array %llu (%.80s) has no task %s", id, row->facts.array,
                          words);
    return not_found(err);
}

int tasks_status(const struct api *api, const struct job_row *array, const struct array_spec *spec,
                 uint64_t position, struct job_status *ret, struct error *err)
{
    struct db *db = engine_db(api->engine);
    uint64_t id = array->facts.id;
    uint64_t index = array_spec_index(spec, position);
    if (task_rows_load(db, id, index, ret, err) == 0)
        return 0;
    if (err->code != ERROR_NOT_FOUND)
        return -1;
    bool over = job_state_terminal(array->status.state) || array->status.cancelling;
    *ret = (struct job_status){
        .id = id,
        .is_task = true,
        .index = index,
        .state = over ? JOB_STATE_CANCELLED : JOB_STATE_PENDING,
        .ended_at = array->status.ended_at,
        .outcome = {.class = over ? OUTCOME_CANCELLED : OUTCOME_NONE, .exit_code = -1}};
    return cancelled_rows_find(db, id, position, ret, err) < 0 ? -1 : 0;
}

/* Puts the status of the one task that is named in the place of the array's. */
static int load_task(struct api_call *call, struct job_row *row, struct error *err)
{
    struct tasks tasks = {.spec = {.ranges = NULL}};
    struct job_status task;
    if (tasks_read(call->params, row, &tasks, err) < 0)
        return -1;
    int result =
        tasks_status(call->api, row, &tasks.spec, task_ranges_first(&tasks.named), &task, err);
    tasks_done(&tasks);
    if (result < 0)
        return -1;
    job_status_done(&row->status);
    row->status = task;
    row->facts.memory_bytes = job_memory_asked(&row->facts, &task);
    return 0;
}

int load_named(struct api_call *call, struct job_row *ret)
{
    struct error err;
    uint64_t id;
    int64_t index = -1;
    if (get_job_id(call, &id) < 0)
        return -1;
    if (json_get_int(call->params, "index", false, 0, ARRAY_INDEX_MAX, &index, &err) < 0) {
        reply_failure(call, &err);
        return -1;
    }
    if (load_own_job(call, id, ret) < 0)
        return -1;
    if (index < 0 || load_task(call, ret, &err) == 0)
        return 0;
    job_row_done(ret);
    reply_failure(call, &err);
    return -1;
}
