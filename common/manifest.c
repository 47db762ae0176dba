#include "common/manifest.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/manifest_rules.h"
#include "common/suggest.h"

#include <string.h>

#define VALUE_WIDTH 80 /* of a refused value, in an error text */
#define NAME_MAX_BYTES 48
#define PARAMS_MAX 64U

static const char *const types[] = {"string", "words",  "path", "paths",
                                    "int",    "number", "bool", NULL};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- one value against the rules of one parameter ---- */

static int refuse(struct error *err, const char *name, const json_t *value, const char *rule)
{
    CLEANUP_FREE char *text = json_to_text(value, NULL);
    char field[ERROR_FIELD_BYTES];
    bool cut = strlen(text) > VALUE_WIDTH;
    (void)snprintf(field, sizeof(field), "params.%.*s", NAME_MAX_BYTES, name);
    return error_set_field(err, field, "%s is %.*s%s; %s", field, VALUE_WIDTH, text,
                           cut ? "..." : "", rule);
}

static bool is_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static bool is_path(const json_t *value)
{
    return is_text(value) && json_string_length(value) > 0 &&
           json_string_length(value) <= MANIFEST_PATH_MAX;
}

static bool is_path_list(const json_t *value)
{
    size_t i;
    json_t *path;
    json_array_foreach((json_t *)(uintptr_t)value, i, path) {
        if (!is_path(path))
            return false;
    }
    return json_array_size(value) > 0 && json_array_size(value) <= MANIFEST_PATHS_MAX;
}

/* The rule that the value breaks by its type, or NULL. */
static const char *type_rule(const json_t *value, const char *type)
{
    if (strcmp(type, "int") == 0)
        return json_is_integer(value) ? NULL : "it must be an integer";
    if (strcmp(type, "number") == 0)
        return json_is_number(value) ? NULL : "it must be a number";
    if (strcmp(type, "bool") == 0)
        return json_is_boolean(value) ? NULL : "it must be true or false";
    if (strcmp(type, "path") == 0)
        return is_path(value) ? NULL : "it must be a path of 1 to 2047 bytes";
    if (strcmp(type, "paths") == 0)
        return is_path(value) || is_path_list(value)
                   ? NULL
                   : "it must be a path of 1 to 2047 bytes or a list of 1 to 10000 such paths";
    return is_text(value) ? NULL : "it must be a string without NUL";
}

static int check_range(const json_t *param, const char *name, const json_t *value,
                       struct error *err)
{
    const json_t *min = json_object_get(param, "min");
    const json_t *max = json_object_get(param, "max");
    bool low = min != NULL && json_number_value(value) < json_number_value(min);
    bool high = max != NULL && json_number_value(value) > json_number_value(max);
    if (!json_is_number(value) || (!low && !high))
        return 0;
    CLEANUP_FREE char *from = min == NULL ? NULL : json_to_text(min, NULL);
    CLEANUP_FREE char *to = max == NULL ? NULL : json_to_text(max, NULL);
    CLEANUP_FREE char *rule = to == NULL ? xasprintf("it must be at least %.30s", from)
                              : from == NULL
                                  ? xasprintf("it must be at most %.30s", to)
                                  : xasprintf("it must be from %.30s to %.30s", from, to);
    return refuse(err, name, value, rule);
}

static int check_words(const json_t *words, const char *name, const json_t *value,
                       struct error *err)
{
    size_t i;
    json_t *word;
    CLEANUP_FREE char *list = xstrdup("");
    CLEANUP_FREE const char **names = xcalloc(json_array_size(words) + 1, sizeof(*names));
    json_array_foreach((json_t *)(uintptr_t)words, i, word) {
        if (json_equal(word, value))
            return 0;
        names[i] = json_string_value(word);
        char *longer = xasprintf("%s%s%s", list, i == 0 ? "" : ", ", names[i]);
        free(list);
        list = longer;
    }
    if (words == NULL)
        return 0;
    const char *meant = suggest_word(json_string_value(value), names);
    CLEANUP_FREE char *rule =
        xasprintf("it must be one of %.200s%s%.60s%s", list, meant == NULL ? "" : "; did you mean ",
                  meant == NULL ? "" : meant, meant == NULL ? "" : "?");
    return refuse(err, name, value, rule);
}

/* The list of what a text has between its commas; owned. */
static json_t *split(const char *text)
{
    json_t *words = json_array();
    CLEANUP_FREE char *copy = xstrdup(text);
    char *rest = copy;
    char *word;
    while ((word = strsep(&rest, ",")) != NULL) {
        word += strspn(word, " ");
        word[strcspn(word, " ")] = '\0';
        (void)json_array_append_new(words, json_string(word));
    }
    return words;
}

/* A value of type words as the list that it stands for; owned. */
static json_t *as_list(const json_t *value)
{
    return is_text(value) ? split(json_string_value(value))
                          : json_incref((json_t *)(uintptr_t)value);
}

static int check_list(const json_t *param, const json_t *value, struct error *err)
{
    const char *name = text_of(param, "name");
    CLEANUP_JSON json_t *list = as_list(value);
    size_t i;
    json_t *word;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return refuse(err, name, value,
                      "it must be a list of words, or a text with commas between");
    json_array_foreach(list, i, word) {
        if (!is_text(word))
            return refuse(err, name, word, "it must be a string without NUL");
        if (check_words(json_object_get(param, "enum"), name, word, err) < 0)
            return -1;
    }
    return 0;
}

static int check_value(const json_t *param, const json_t *value, struct error *err)
{
    const char *name = text_of(param, "name");
    if (strcmp(text_of(param, "type"), "words") == 0)
        return check_list(param, value, err);
    const char *rule = type_rule(value, text_of(param, "type"));
    if (rule != NULL)
        return refuse(err, name, value, rule);
    if (check_range(param, name, value, err) < 0)
        return -1;
    return check_words(json_object_get(param, "enum"), name, value, err);
}

/* ---- all values ---- */

static int take_param(const json_t *param, const json_t *values, json_t *checked, struct error *err)
{
    const char *name = text_of(param, "name");
    json_t *value = json_object_get(values, name);
    char field[ERROR_FIELD_BYTES];
    if (value == NULL)
        value = json_object_get(param, "default");
    if (value != NULL && check_value(param, value, err) < 0)
        return -1;
    if (value != NULL) {
        bool list = strcmp(text_of(param, "type"), "words") == 0;
        json_put(checked, name, list ? as_list(value) : json_incref(value));
        return 0;
    }
    if (!json_is_true(json_object_get(param, "required")))
        return 0;
    (void)snprintf(field, sizeof(field), "params.%.*s", NAME_MAX_BYTES, name);
    return error_set_field(err, field, "%s is missing; it is required", field);
}

static int refuse_unknown(const json_t *manifest, const char *name, struct error *err)
{
    const json_t *params = json_object_get(manifest, "params");
    CLEANUP_FREE const char **names = xcalloc(json_array_size(params) + 1, sizeof(*names));
    char field[ERROR_FIELD_BYTES];
    size_t i;
    json_t *param;
    json_array_foreach((json_t *)(uintptr_t)params, i, param)
        names[i] = text_of(param, "name");
    const char *meant = suggest_word(name, names);
    const char *type = text_of(manifest, "name");
    (void)snprintf(field, sizeof(field), "params.%.*s", NAME_MAX_BYTES, name);
    if (meant != NULL)
        return error_set_field(err, field, "%s is no parameter of %.64s; did you mean %s?", field,
                               type, meant);
    return error_set_field(err, field,
                           "%s is no parameter of %.64s; batchctl processors show %.64s", field,
                           type, type);
}

int manifest_check(const json_t *manifest, const json_t *values, json_t **ret, struct error *err)
{
    CLEANUP_JSON json_t *checked = json_object();
    size_t i;
    json_t *param;
    const char *name;
    const json_t *value;
    /* A misspelt name first: "outptu is no parameter" helps more than "output is missing". */
    json_object_foreach((json_t *)(uintptr_t)values, name, value) {
        bool known = false;
        json_array_foreach(json_object_get(manifest, "params"), i, param)
            known = known || strcmp(text_of(param, "name"), name) == 0;
        if (!known)
            return refuse_unknown(manifest, name, err);
    }
    json_array_foreach(json_object_get(manifest, "params"), i, param) {
        if (take_param(param, values, checked, err) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(manifest, "params"), i, param) {
        if (manifest_rules_check(param, checked, err) < 0)
            return -1;
    }
    *ret = TAKE_PTR(checked);
    return 0;
}

/* ---- the manifest itself ---- */

static bool is_known_type(const char *type)
{
    for (size_t i = 0; type != NULL && types[i] != NULL; i++) {
        if (strcmp(types[i], type) == 0)
            return true;
    }
    return false;
}

static bool is_word_list(const json_t *words)
{
    size_t i;
    json_t *word;
    json_array_foreach((json_t *)(uintptr_t)words, i, word) {
        if (!is_text(word))
            return false;
    }
    return json_array_size(words) > 0;
}

static int check_param(const json_t *param, struct error *err)
{
    static const char *const known[] = {"name", "type",    "required", "default",  "min",
                                        "max",  "enum",    "access",   "suffixes", "help",
                                        "when", "example", NULL};
    const char *name = text_of(param, "name");
    const json_t *words = json_object_get(param, "enum");
    const json_t *min = json_object_get(param, "min");
    const json_t *max = json_object_get(param, "max");
    const json_t *value = json_object_get(param, "default");
    if (name == NULL || name[0] == '\0' || strlen(name) > NAME_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "a parameter has no %s", "name of 1 to 48 bytes");
    if (json_only_known(param, known, err) < 0)
        return error_wrap(err, "parameter %s", name);
    if (!is_known_type(text_of(param, "type")))
        return error_set(
            err, ERROR_INVALID,
            "parameter %s: type must be string, words, path, paths, int, number or bool", name);
    const bool takes_words = strcmp(text_of(param, "type"), "string") == 0 ||
                             strcmp(text_of(param, "type"), "words") == 0;
    if (words != NULL && (!is_word_list(words) || !takes_words))
        return error_set(err, ERROR_INVALID,
                         "parameter %s: enum must be a list of strings, for type string or words",
                         name);
    if ((min != NULL && !json_is_number(min)) || (max != NULL && !json_is_number(max)))
        return error_set(err, ERROR_INVALID, "parameter %s: min and max must be numbers", name);
    if (value != NULL && check_value(param, value, err) < 0)
        return error_wrap(err, "default");
    value = json_object_get(param, "example");
    if (value != NULL && check_value(param, value, err) < 0)
        return error_wrap(err, "example");
    return 0;
}

/* Which files the processor reads and which it writes: its sandbox is made of that. */
static int check_access(const json_t *param, struct error *err)
{
    const json_t *access = json_object_get(param, "access");
    const char *word = json_string_value(access);
    if (access == NULL || (strncmp(text_of(param, "type"), "path", 4) == 0 && word != NULL &&
                           (strcmp(word, "read") == 0 || strcmp(word, "write") == 0)))
        return 0;
    return error_set(err, ERROR_INVALID,
                     "parameter %s: access must be read or write, for type path or paths",
                     text_of(param, "name"));
}

/* What files in a folder that the processor writes may end with. */
static int check_suffixes(const json_t *param, struct error *err)
{
    const json_t *list = json_object_get(param, "suffixes");
    const char *access = text_of(param, "access");
    bool valid =
        list == NULL || (is_word_list(list) && access != NULL && strcmp(access, "write") == 0);
    for (size_t i = 0; valid && i < json_array_size(list); i++) {
        const char *suffix = json_string_value(json_array_get(list, i));
        valid = suffix[0] == '.' && suffix[1] != '\0' && strpbrk(suffix + 1, "./") == NULL;
    }
    return valid ? 0
                 : error_set(err, ERROR_INVALID,
                             "parameter %s: suffixes must be a list as [\".png\"], of one that is "
                             "written",
                             text_of(param, "name"));
}

/* Their rules could contradict each other. */
static int refuse_second(const json_t *params, size_t before, const char *name, struct error *err)
{
    for (size_t i = 0; i < before; i++) {
        if (strcmp(text_of(json_array_get(params, i), "name"), name) == 0)
            return error_set(err, ERROR_INVALID, "parameter %s is given twice", name);
    }
    return 0;
}

static int check_manifest(const json_t *manifest, struct error *err)
{
    static const char *const texts[] = {"name", "version", "summary", "exec"};
    static const char *const flags[] = {"serve", "sandbox"};
    const json_t *params = json_object_get(manifest, "params");
    size_t i;
    json_t *param;
    if (!json_is_object(manifest))
        return error_set(err, ERROR_INVALID, "it must be %s", "a JSON object");
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = text_of(manifest, texts[i]);
        if (text == NULL || text[0] == '\0')
            return error_set(err, ERROR_INVALID, "%s must be a string that is not empty", texts[i]);
    }
    if (strchr(text_of(manifest, "exec"), '/') != NULL)
        return error_set(err, ERROR_INVALID,
                         "exec is \"%.100s\"; it must name a file beside the manifest",
                         text_of(manifest, "exec"));
    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        const json_t *flag = json_object_get(manifest, flags[i]);
        if (flag != NULL && !json_is_boolean(flag))
            return error_set(err, ERROR_INVALID, "%s must be true or false", flags[i]);
    }
    if (!json_is_array(params) || json_array_size(params) > PARAMS_MAX)
        return error_set(err, ERROR_INVALID, "params must be a list of at most %s parameters",
                         "64");
    json_array_foreach((json_t *)(uintptr_t)params, i, param) {
        if (check_param(param, err) < 0 || check_access(param, err) < 0 ||
            check_suffixes(param, err) < 0 ||
            refuse_second(params, i, text_of(param, "name"), err) < 0 ||
            manifest_rules_valid(param, params, err) < 0)
            return -1;
    }
    return 0;
}

json_t *manifest_load(const char *text, size_t bytes, struct error *err)
{
    CLEANUP_JSON json_t *manifest = json_load_limited(text, bytes, err);
    if (manifest == NULL || check_manifest(manifest, err) < 0) {
        if (err != NULL)
            err->code = ERROR_INVALID;
        return NULL;
    }
    return TAKE_PTR(manifest);
}
