#include "common/manifest_rules.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>
#include <strings.h>

#define NAME_WIDTH 48
#define VALUE_WIDTH 80

static const char *name_of(const json_t *param)
{
    return json_string_value(json_object_get(param, "name"));
}

/* ---- which entry counts ---- */

static bool is_among(const json_t *wanted, const json_t *value)
{
    size_t i;
    const json_t *one;
    json_array_foreach((json_t *)(uintptr_t)wanted, i, one) {
        if (json_equal(one, value))
            return true;
    }
    return json_equal(wanted, value);
}

static const json_t *find(const json_t *param, const json_t *values)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(param, "when"), i, entry) {
        const char *name;
        const json_t *wanted;
        bool all = true;
        json_object_foreach(json_object_get(entry, "with"), name, wanted)
            all = all && is_among(wanted, json_object_get(values, name));
        if (all)
            return entry;
    }
    return NULL;
}

/* ---- words ---- */

/* ".a, .b or .c" */
static void join(const json_t *list, char *ret, size_t bytes)
{
    const size_t count = json_array_size(list);
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < count && used < bytes; i++)
        used += (size_t)snprintf(ret + used, bytes - used, "%s%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 json_string_value(json_array_get(list, i)));
}

/* "with mode thumbnail ", as the job has it; "" where the entry is for all. */
static void tell_with(const json_t *entry, const json_t *values, char *ret, size_t bytes)
{
    const char *name;
    const json_t *ignored;
    size_t used = 0;
    ret[0] = '\0';
    json_object_foreach(json_object_get(entry, "with"), name, ignored) {
        CLEANUP_FREE char *text =
            json_to_text(json_object_get(values, name), NULL); /* JSON: words in quotes */
        const size_t length = strlen(text);
        const bool quoted = text[0] == '"';
        if (used < bytes)
            used += (size_t)snprintf(ret + used, bytes - used, "%s%.*s %.*s ",
                                     used == 0 ? "with " : "and ", NAME_WIDTH, name,
                                     (int)(quoted ? length - 2 : length), text + quoted);
    }
}

/* ---- the rules ---- */

static int refuse(const char *name, struct error *err, const char *text, const char *of)
{
    char field[ERROR_FIELD_BYTES];
    (void)snprintf(field, sizeof(field), "params.%.*s", NAME_WIDTH, name);
    return error_set_field(err, field, "%s is %s%s", field, text, of);
}

static bool ends_with(const char *path, const json_t *suffixes)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash == NULL ? path : slash, '.');
    for (size_t i = 0; dot != NULL && i < json_array_size(suffixes); i++) {
        if (strcasecmp(dot, json_string_value(json_array_get(suffixes, i))) == 0)
            return true;
    }
    return false;
}

/* What of `with` is not so. */
static const char *differs(const json_t *with, const json_t *values)
{
    const char *name;
    const json_t *wanted;
    json_object_foreach((json_t *)(uintptr_t)with, name, wanted) {
        if (!is_among(wanted, json_object_get(values, name)))
            return name;
    }
    return NULL;
}

/* "; .webm goes with codec vp9 or av1": by the first entry that takes it. */
static void tell_other(const json_t *param, const char *path, const json_t *values, char *ret,
                       size_t bytes)
{
    size_t i;
    const json_t *entry;
    char words[100];
    ret[0] = '\0';
    json_array_foreach(json_object_get(param, "when"), i, entry) {
        const json_t *with = json_object_get(entry, "with");
        const char *name = differs(with, values);
        if (name == NULL || !ends_with(path, json_object_get(entry, "suffixes")))
            continue;
        const json_t *wanted = json_object_get(with, name);
        join(wanted, words, sizeof(words));
        (void)snprintf(ret, bytes, "; %.20s goes with %.*s %s", strrchr(path, '.'), NAME_WIDTH,
                       name, json_is_array(wanted) ? words : json_string_value(wanted));
        return;
    }
}

static int check_suffix(const json_t *param, const json_t *entry, const json_t *values,
                        struct error *err)
{
    const char *path = json_string_value(json_object_get(values, name_of(param)));
    const json_t *suffixes = json_object_get(entry, "suffixes");
    char with[120];
    char list[120];
    char other[200];
    if (suffixes == NULL || path == NULL || ends_with(path, suffixes))
        return 0;
    tell_with(entry, values, with, sizeof(with));
    join(suffixes, list, sizeof(list));
    tell_other(param, path, values, other, sizeof(other));
    CLEANUP_FREE char *text =
        xasprintf("\"%.*s\"; %sit must end in %s", VALUE_WIDTH, path, with, list);
    return refuse(name_of(param), err, text, other);
}

int manifest_rules_check(const json_t *param, const json_t *values, struct error *err)
{
    const json_t *entry = find(param, values);
    const json_t *given = json_object_get(entry, "given");
    const bool is_given = json_object_get(values, name_of(param)) != NULL;
    char with[120];
    if (entry == NULL)
        return 0;
    tell_with(entry, values, with, sizeof(with));
    with[strlen(with) - (with[0] != '\0')] = '\0'; /* without the blank behind */
    if (json_is_true(given) && !is_given)
        return refuse(name_of(param), err, "missing; it is required ", with);
    if (json_is_false(given) && is_given)
        return refuse(name_of(param), err, "given; it is not allowed ", with);
    return check_suffix(param, entry, values, err);
}

/* ---- the list itself ---- */

static bool is_param(const json_t *params, const char *name)
{
    size_t i;
    const json_t *param;
    json_array_foreach((json_t *)(uintptr_t)params, i, param) {
        const char *its = name_of(param);
        if (its != NULL && strcmp(its, name) == 0)
            return true;
    }
    return false;
}

/* Words, of which errors can tell. */
static bool are_words(const json_t *value)
{
    size_t i;
    const json_t *word;
    json_array_foreach((json_t *)(uintptr_t)value, i, word) {
        if (!json_is_string(word))
            return false;
    }
    return json_is_string(value) || json_array_size(value) > 0;
}

static bool is_with(const json_t *with, const json_t *params)
{
    const char *name;
    const json_t *wanted;
    json_object_foreach((json_t *)(uintptr_t)with, name, wanted) {
        if (!is_param(params, name) || !are_words(wanted))
            return false;
    }
    return json_is_object(with);
}

static bool are_suffixes(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *suffix = json_string_value(json_array_get(list, i));
        if (suffix == NULL || suffix[0] != '.' || strpbrk(suffix + 1, "./") != NULL)
            return false;
    }
    return list == NULL || json_array_size(list) > 0;
}

int manifest_rules_valid(const json_t *param, const json_t *params, struct error *err)
{
    static const char *const known[] = {"with", "given", "suffixes", NULL};
    const json_t *list = json_object_get(param, "when");
    const char *type = json_string_value(json_object_get(param, "type"));
    size_t i;
    const json_t *entry;
    bool valid = list == NULL || json_is_array(list);
    json_array_foreach((json_t *)(uintptr_t)list, i, entry) {
        const json_t *suffixes = json_object_get(entry, "suffixes");
        const json_t *given = json_object_get(entry, "given");
        valid = valid && json_is_object(entry) && json_only_known(entry, known, err) == 0 &&
                is_with(json_object_get(entry, "with"), params) &&
                (given == NULL || json_is_boolean(given)) && are_suffixes(suffixes) &&
                (suffixes == NULL || strcmp(type, "path") == 0);
    }
    return valid ? 0
                 : error_set(err, ERROR_INVALID,
                             "parameter %s: when must be a list as [{\"with\": {\"mode\": "
                             "[\"fast\"]}, \"given\": true, \"suffixes\": [\".png\"]}], with names "
                             "of parameters, and suffixes for type path",
                             name_of(param));
}
