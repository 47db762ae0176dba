/* io.batchd.Jobs.AddValues {values: [string | {b64}], values_id} -> {values_id, count}
 * The first part makes the set, further ones name it; a submit on the same connection takes it, and
 * else it goes with the connection. */
#include "daemon/api/array_values.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/core/array_spec.h"
#include "daemon/engine/values.h"
#include "daemon/store/array_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct value *values;
    char **owned; /* what was decoded for them */
    size_t count;
};

static void reading_done(struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++)
        free(reading->owned[i]);
    free(reading->owned);
    free(reading->values);
}

static int read_value(const json_t *json, size_t at, struct reading *reading, struct error *err)
{
    struct value *value = &reading->values[at];
    if (json_value_text(json, "values", ARRAY_VALUE_BYTES_MAX, &reading->owned[at], err) < 0) {
        CLEANUP_FREE char *text = xstrdup(err->text);
        return error_set_field(err, "values", "values[%zu]: %.180s", at, text);
    }
    value->data = reading->owned[at];
    value->bytes = strlen(reading->owned[at]);
    return 0;
}

static int read_values(const json_t *params, struct reading *ret, struct error *err)
{
    json_t *list = NULL;
    if (json_get_array(params, "values", true, &list, err) < 0)
        return -1;
    size_t count = json_array_size(list);
    if (count == 0)
        return error_set_field(err, "values", "values is empty; an array has at least one task");
    *ret = (struct reading){.values = xcalloc(count, sizeof(*ret->values)),
                            .owned = xcalloc(count, sizeof(char *)),
                            .count = count};
    for (size_t i = 0; i < count; i++) {
        if (read_value(json_array_get(list, i), i, ret, err) < 0) {
            reading_done(ret);
            return -1;
        }
    }
    return 0;
}

/* Adds the request's values to the set, 0: to a new one. */
static int add(const struct api_call *call, const json_t *params, uint64_t set,
               struct value_set *ret, struct error *err)
{
    struct reading reading = {.values = NULL};
    if (read_values(params, &reading, err) < 0)
        return -1;
    const struct values_part part = {.owner = call->sink_arg,
                                     .uid = call->uid,
                                     .set = set,
                                     .values = reading.values,
                                     .count = reading.count};
    int result = engine_values_add(call->api->engine, &part, ret, err);
    reading_done(&reading);
    return result;
}

static bool is_given(const json_t *params, const char *name)
{
    const json_t *value = json_object_get(params, name);
    return value != NULL && !json_is_null(value);
}

bool array_values_given(const json_t *params)
{
    return is_given(params, "values") || is_given(params, "values_id");
}

static int find_or_add(const struct api_call *call, const json_t *params, struct value_set *ret,
                       struct error *err)
{
    int64_t id = 0;
    int found = json_get_int(params, "values_id", false, 1, INT64_MAX, &id, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return add(call, params, 0, ret, err);
    if (is_given(params, "values"))
        return error_set_field(err, "values_id", "values and values_id exclude each other");
    const struct value_set *set =
        engine_values_find(call->api->engine, call->sink_arg, (uint64_t)id);
    if (set == NULL)
        return error_set_field(err, "values_id", "values_id %" PRId64 " is none of this connection",
                               id);
    *ret = *set;
    return 0;
}

int array_values_take(const struct api_call *call, const json_t *params, struct job_facts *facts,
                      struct error *err)
{
    struct value_set set = {0};
    struct array_spec spec;
    if (find_or_add(call, params, &set, err) < 0)
        return -1;
    facts->value_set = set.id;
    char *text = xasprintf("0-%" PRIu64 "%s", set.count - 1, facts->array);
    free(facts->array);
    facts->array = text;
    if (array_spec_parse(text, engine_limits(call->api->engine)->array_max, &spec, err) < 0)
        return -1;
    array_spec_done(&spec);
    return 0;
}

void array_values_view(const struct api *api, const struct job_row *task, json_t *object)
{
    struct db *db = engine_db(api->engine);
    struct array_options options = {0};
    size_t bytes = 0;
    CLEANUP_FREE char *value = NULL;
    if (task->status.is_task && array_rows_load(db, task->facts.id, &options, NULL) == 0 &&
        options.value_set != 0)
        value = value_rows_find(db, options.value_set, task->status.index, &bytes, NULL);
    json_put(object, "value", value == NULL ? json_null() : json_from_bytes(value, bytes));
}

static void run(struct api_call *call)
{
    struct error err;
    struct value_set set = {0};
    int64_t id = 0;
    if (json_get_int(call->params, "values_id", false, 1, INT64_MAX, &id, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (add(call, call->params, (uint64_t)id, &set, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    json_t *reply = json_object();
    json_put_int(reply, "values_id", (int64_t)set.id);
    json_put_int(reply, "count", (int64_t)set.count);
    reply_done(call, reply);
}

static const char *const fields[] = {"values", "values_id", NULL};
const struct api_verb verb_add_values = {
    .method = "io.batchd.Jobs.AddValues", .fields = fields, .large = true, .run = run};
