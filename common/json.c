#include "common/json.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/cleanup.h"
#include "common/frame.h"

#include <string.h>

json_t *json_load_limited(const char *text, size_t bytes, struct error *err)
{
    if (frame_check(text, bytes, err) < 0)
        return NULL;
    json_error_t detail;
    json_t *value = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &detail);
    if (value == NULL)
        (void)error_set(err, ERROR_INVALID, "not valid JSON at byte %d: %s", detail.position,
                        detail.text);
    return value;
}

char *json_to_text(const json_t *value, size_t *ret_bytes)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t room = 512;
    char *text = xmalloc(room);
    size_t bytes = json_dumpb(value, text, room - 1, flags);
    if (bytes > room - 1) {
        room = bytes + 1;
        text = xreallocarray(text, room, 1);
        bytes = json_dumpb(value, text, room - 1, flags);
    }
    text[bytes] = '\0';
    if (ret_bytes != NULL)
        *ret_bytes = bytes;
    return text;
}

static const char *type_word(const json_t *value)
{
    if (value == NULL)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

/* 1 and *ret, 0 when absent and allowed, -1 when absent and required. */
static int find(const json_t *object, const char *key, bool required, json_t **ret,
                struct error *err)
{
    json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return required ? error_set_field(err, key, "%s is missing", key) : 0;
    *ret = value;
    return 1;
}

static int wrong_type(const json_t *value, const char *key, const char *wanted, struct error *err)
{
    return error_set_field(err, key, "%s must be %s, not %s", key, wanted, type_word(value));
}

int json_get_string(const json_t *object, const char *key, bool required, const char **ret,
                    struct error *err)
{
    json_t *value = NULL;
    int found = find(object, key, required, &value, err);
    if (found <= 0)
        return found;
    if (!json_is_string(value))
        return wrong_type(value, key, "a string", err);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return error_set_field(err, key, "%s must not hold a NUL", key);
    *ret = json_string_value(value);
    return 1;
}

/* NOLINTNEXTLINE(readability-function-size): seven, each of another kind */
int json_get_int(const json_t *object, const char *key, bool required, int64_t min, int64_t max,
                 int64_t *ret, struct error *err)
{
    json_t *value = NULL;
    int found = find(object, key, required, &value, err);
    if (found <= 0)
        return found;
    if (!json_is_integer(value))
        return wrong_type(value, key, "an integer", err);
    int64_t number = json_integer_value(value);
    if (number < min || number > max)
        return error_set_field(err, key, "%s is %lld; it must be from %lld to %lld", key,
                               (long long)number, (long long)min, (long long)max);
    *ret = number;
    return 1;
}

int json_get_bool(const json_t *object, const char *key, bool required, bool *ret,
                  struct error *err)
{
    json_t *value = NULL;
    int found = find(object, key, required, &value, err);
    if (found <= 0)
        return found;
    if (!json_is_boolean(value))
        return wrong_type(value, key, "true or false", err);
    *ret = json_is_true(value);
    return 1;
}

int json_get_object(const json_t *object, const char *key, bool required, json_t **ret,
                    struct error *err)
{
    json_t *value = NULL;
    int found = find(object, key, required, &value, err);
    if (found <= 0)
        return found;
    if (!json_is_object(value))
        return wrong_type(value, key, "an object", err);
    *ret = value;
    return 1;
}

int json_get_array(const json_t *object, const char *key, bool required, json_t **ret,
                   struct error *err)
{
    json_t *value = NULL;
    int found = find(object, key, required, &value, err);
    if (found <= 0)
        return found;
    if (!json_is_array(value))
        return wrong_type(value, key, "an array", err);
    *ret = value;
    return 1;
}

/* 0, or -1 with err, which may be NULL. */
static int decode(const json_t *value, const char *field, char **ret, size_t *ret_bytes,
                  struct error *err)
{
    struct error ignored;
    const json_t *coded = json_object_get(value, "b64");
    if (json_is_string(value)) {
        *ret_bytes = json_string_length(value);
        *ret = xmemdup(json_string_value(value), *ret_bytes);
        return 0;
    }
    if (!json_is_string(coded) || json_object_size(value) != 1)
        return wrong_type(value, field, "a string or {\"b64\":...}", err);
    if (base64_decode(json_string_value(coded), json_string_length(coded), ret, ret_bytes,
                      &ignored) < 0)
        return error_set_field(err, field, "%s: \"b64\" is not base64 with padding", field);
    return 0;
}

int json_value_text(const json_t *value, const char *field, size_t max, char **ret,
                    struct error *err)
{
    CLEANUP_FREE char *data = NULL;
    size_t bytes = 0;
    if (decode(value, field, &data, &bytes, err) < 0)
        return -1;
    if (bytes > max)
        return error_set_field(err, field, "%s has %zu bytes; at most %zu are allowed", field,
                               bytes, max);
    if (memchr(data, '\0', bytes) != NULL)
        return error_set_field(err, field, "%s must not hold a NUL", field);
    *ret = TAKE_PTR(data);
    return 0;
}

int json_value_data(const json_t *value, char **ret, size_t *ret_bytes)
{
    return decode(value, "data", ret, ret_bytes, NULL);
}

int json_get_bytes(const json_t *object, const char *key, bool required, size_t max, char **ret,
                   struct error *err)
{
    json_t *value = NULL;
    int found = find(object, key, required, &value, err);
    if (found <= 0)
        return found;
    return json_value_text(value, key, max, ret, err) < 0 ? -1 : 1;
}

json_t *json_from_bytes(const void *data, size_t bytes)
{
    json_t *value = NULL;
    if (memchr(data, '\0', bytes) == NULL)
        value = json_stringn(data, bytes);
    if (value != NULL)
        return value;
    CLEANUP_FREE char *text = base64_encode(data, bytes);
    json_t *coded = json_object();
    json_put_text(coded, "b64", text);
    return coded;
}

void json_put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        out_of_memory(); /* only out of memory or a NULL value: both are bugs or fatal here */
}

void json_put_text(json_t *object, const char *key, const char *text)
{
    json_put(object, key, text == NULL ? json_null() : json_from_bytes(text, strlen(text)));
}

void json_put_int(json_t *object, const char *key, int64_t value)
{
    json_put(object, key, json_integer(value));
}

int json_only_known(const json_t *object, const char *const *known, struct error *err)
{
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const char *key = json_object_iter_key(at);
        const char *const *name = known;
        while (*name != NULL && strcmp(*name, key) != 0)
            name++;
        if (*name == NULL)
            return error_set_field(err, key, "unknown field \"%.60s\"", key);
    }
    return 0;
}

void json_must_have_memory(void)
{
    json_set_alloc_funcs(xmalloc, free);
}
