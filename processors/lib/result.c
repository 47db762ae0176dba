#include "processors/lib/result.h"

#include "common/json.h"
#include "processors/lib/source.h"

json_t *result_begin(void)
{
    json_t *result = json_object();
    json_put(result, "inputs", json_array());
    json_put(result, "outputs", json_array());
    json_put(result, "frames_in", json_null());
    json_put(result, "frames_out", json_null());
    json_put(result, "media", json_object());
    return result;
}

void result_add_input(json_t *result, const struct source *source)
{
    (void)json_array_append(json_object_get(result, "inputs"), source->facts);
}

void result_add_output(json_t *result, json_t *facts)
{
    (void)json_array_append(json_object_get(result, "outputs"), facts);
}

void result_put_in(json_t *result, const char *of, const char *name, json_t *value)
{
    json_put(json_object_get(result, of), name, value);
}
