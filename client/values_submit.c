#include "client/values_submit.h"

#include "common/cleanup.h"
#include "common/frame.h"

/* A request's own text stays well below what it may have; and so does the number of its values. */
#define PART_BYTES ((size_t)FRAME_BYTES_MAX / 4 * 3)
#define PART_VALUES (FRAME_NODES_MAX / 4)
/* Beside the job itself, whose environment may have 128 KiB and its command as much. */
#define INLINE_BYTES ((size_t)FRAME_BYTES_MAX / 4)

/* As many as fit. Fewer than that, maybe none: the file is at its end. NULL with err. */
static json_t *take_part(struct values *values, size_t most, bool *ret_end, struct error *err)
{
    CLEANUP_JSON json_t *part = json_array();
    size_t bytes = 0;
    *ret_end = false;
    while (bytes < most && json_array_size(part) < PART_VALUES) {
        json_t *value = values_next(values, err);
        if (value == NULL && err->code != ERROR_NONE) {
            values->failed = true;
            return NULL;
        }
        if (value == NULL) {
            *ret_end = true;
            break;
        }
        bytes += json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) + 1;
        (void)json_array_append_new(part, value);
    }
    return TAKE_PTR(part);
}

/* Takes `part` and sends it. */
static json_t *add_part(struct cli *cli, json_t *part, json_int_t id, struct error *err)
{
    json_t *request = json_object();
    json_put(request, "values", part);
    if (id != 0)
        json_put_int(request, "values_id", id);
    return batchd_call(cli->client, "io.batchd.Jobs.AddValues", request, err);
}

/* The id of the set that holds `part` (taken) and all the rest; 0 with err. */
static json_int_t add_all(struct cli *cli, struct values *values, json_t *part, struct error *err)
{
    json_int_t id = 0;
    bool end = false;
    while (part != NULL) {
        if (json_array_size(part) == 0) {
            json_decref(part);
            break;
        }
        CLEANUP_JSON json_t *reply = add_part(cli, part, id, err);
        if (reply == NULL)
            return 0;
        id = json_integer_value(json_object_get(reply, "values_id"));
        part = end ? json_array() : take_part(values, PART_BYTES, &end, err);
    }
    return part == NULL ? 0 : id;
}

/* From the file's begin to the reply of Submit, on one connection. */
static json_t *attempt(struct cli *cli, const json_t *request, struct values *values,
                       struct error *err)
{
    bool end = false;
    values_rewind(values);
    CLEANUP_JSON json_t *mine = json_copy((json_t *)(uintptr_t)request);
    json_t *first = take_part(values, INLINE_BYTES, &end, err);
    if (first == NULL)
        return NULL;
    if (json_array_size(first) == 0) {
        json_decref(first);
        values->failed = true;
        (void)error_set(err, ERROR_INVALID,
                        "the file holds no value; an array has at least one task");
        return NULL;
    }
    if (end) {
        json_put(mine, "values", first);
    } else {
        json_int_t id = add_all(cli, values, first, err);
        if (id == 0)
            return NULL;
        json_put_int(mine, "values_id", id);
    }
    return batchd_call(cli->client, "io.batchd.Jobs.Submit", TAKE_PTR(mine), err);
}

json_t *values_submit(struct cli *cli, const json_t *request, struct values *values, int *ret_code)
{
    struct cli_patience patience = {0};
    struct error err = {.code = ERROR_NONE};
    for (;;) {
        json_t *reply =
            cli_reach(cli, &patience, &err) < 0 ? NULL : attempt(cli, request, values, &err);
        if (reply != NULL)
            return reply;
        if (values->failed) {
            *ret_code = cli_fail(EXIT_USAGE, NULL, "--each-%s: %s", values->json ? "json" : "line",
                                 err.text);
            return NULL;
        }
        if (!cli_try_again(cli, &patience, &err)) {
            *ret_code = cli_fail_error(cli, &err);
            return NULL;
        }
    }
}
