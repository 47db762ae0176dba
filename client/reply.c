#include "client/reply.h"

const char *reply_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

const char *reply_cell(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "-" : text;
}

long long reply_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}
