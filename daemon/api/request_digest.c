#include "daemon/api/request_digest.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/glib_memory.h"
#include "daemon/engine/values.h"

#include <glib.h>
#include <inttypes.h>

/* In the place of "values_id", which is another each time. */
static void put_values(const struct api_call *call, json_t *members)
{
    const json_t *id = json_object_get(members, "values_id");
    const struct value_set *set = json_is_integer(id)
                                      ? engine_values_find(call->api->engine, call->sink_arg,
                                                           (uint64_t)json_integer_value(id))
                                      : NULL;
    if (set == NULL)
        return;
    CLEANUP_FREE char *content =
        xasprintf("%" PRIu64 " %" PRIu64 " %" PRIu32, set->count, set->bytes, set->content);
    json_put_text(members, "values_id", content);
}

char *request_digest(const struct api_call *call, const char *method)
{
    CLEANUP_JSON json_t *members = json_object();
    const char *name;
    json_t *value;
    json_object_foreach(call->params, name, value) {
        if (!json_is_null(value) && strcmp(name, "key") != 0 && strcmp(name, "dry_run") != 0)
            (void)json_object_set_nocheck(members, name, value);
    }
    put_values(call, members);
    CLEANUP_FREE char *text = json_dumps(members, JSON_SORT_KEYS | JSON_COMPACT);
    CLEANUP_FREE char *whole = xasprintf("%s %s", method, text == NULL ? "" : text);
    glib_needs_memory();
    char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, whole, -1);
    char *digest = xstrdup(hex);
    g_free(hex);
    return digest;
}
