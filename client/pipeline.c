#include "client/pipeline.h"

#include "client/values.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* ---- the values of names ---- */

static const char *type_word(const json_t *value)
{
    return json_is_boolean(value)  ? "true or false"
           : json_is_number(value) ? "a number"
           : json_is_array(value)  ? "a JSON array"
                                   : "a JSON object";
}

/* A text from the command line in the type of the one that the file has; owned. */
static json_t *value_like(const json_t *value, const json_t *text)
{
    if (json_is_string(value) || json_is_null(value))
        return json_incref((json_t *)(uintptr_t)text);
    json_t *read = json_loads(json_string_value(text), JSON_DECODE_ANY, NULL);
    bool same = read != NULL && ((json_typeof(value) == json_typeof(read)) ||
                                 (json_is_number(value) && json_is_number(read)) ||
                                 (json_is_boolean(value) && json_is_boolean(read)));
    if (same)
        return read;
    json_decref(read);
    return NULL;
}

static int check_set(const json_t *defaults, const json_t *set, struct error *err)
{
    const char *name;
    json_t *text;
    json_object_foreach((json_t *)(uintptr_t)set, name, text) {
        if (json_object_get(defaults, name) == NULL)
            return error_set(err, ERROR_INVALID,
                             "--set %s: the file has no \"%s\" in its member \"set\"", name, name);
        if (!json_is_string(text))
            return error_set(err, ERROR_INVALID, "--set %s: the value must be UTF-8", name);
    }
    return 0;
}

/* The value of each name of the file; owned. NULL with err. */
static json_t *find_values(const json_t *defaults, const json_t *set, struct error *err)
{
    CLEANUP_JSON json_t *values = json_object();
    const char *name;
    json_t *value;
    if (check_set(defaults, set, err) < 0)
        return NULL;
    json_object_foreach((json_t *)(uintptr_t)defaults, name, value) {
        const json_t *text = json_object_get(set, name);
        json_t *found = text == NULL ? json_incref(value) : value_like(value, text);
        if (found == NULL) {
            (void)error_set(err, ERROR_INVALID, "--set %s \"%.80s\" must be %s, as in the file",
                            name, json_string_value(text), type_word(value));
            return NULL;
        }
        json_put(values, name, found);
        if (!json_is_null(found))
            continue;
        (void)error_set(err, ERROR_INVALID, "--set %s=VALUE must be given: the file has none",
                        name);
        return NULL;
    }
    return TAKE_PTR(values);
}

/* ---- in their places ---- */

/* What is read of a JSON text, and what is written of the text that takes its place. */
struct filling {
    const char *text, *at;
    const json_t *values;
    FILE *out;
};

/* The value named at the "${" there, and what is behind its "}"; NULL: the text is as it is meant.
 */
static const json_t *value_at(const struct filling *filling, const char **ret_end)
{
    const char *name = filling->at + 2;
    const char *end = strpbrk(name, "}\"");
    if (end == NULL || *end != '}')
        return NULL;
    CLEANUP_FREE char *word = xmemdup(name, (size_t)(end - name));
    *ret_end = end + 1;
    return json_object_get(filling->values, word);
}

/* Whether the string is ${NAME} as a whole: a quote before it that is not one of the string. The
 * text is compact, so a string always has something before it. */
static bool is_whole(const struct filling *filling, const char *end)
{
    return *end == '"' && filling->at - filling->text >= 2 && filling->at[-1] == '"' &&
           filling->at[-2] != '\\';
}

/* In a string there stands its text; in the place of a whole one, whose quote was written, the
 * value.
 */
static void put_value(struct filling *filling, const json_t *value, const char *end)
{
    bool whole = is_whole(filling, end) && !json_is_string(value);
    CLEANUP_FREE char *text = json_to_text(value, NULL);
    if (whole) {
        (void)fseek(filling->out, -1, SEEK_CUR);
        (void)fputs(text, filling->out);
        filling->at = end + 1;
        return;
    }
    CLEANUP_JSON json_t *inner = json_is_string(value) ? NULL : json_string(text);
    CLEANUP_FREE char *quoted = inner == NULL ? xstrdup(text) : json_to_text(inner, NULL);
    (void)fprintf(filling->out, "%.*s", (int)strlen(quoted) - 2, quoted + 1);
    filling->at = end;
}

/* The jobs with the values in them; owned. NULL with err. */
static json_t *fill(const json_t *jobs, const json_t *values, struct error *err)
{
    CLEANUP_FREE char *before = json_to_text(jobs, NULL);
    CLEANUP_FREE char *after = NULL;
    size_t bytes = 0;
    struct filling filling = {.text = before, .at = before, .values = values};
    filling.out = open_memstream(&after, &bytes);
    if (filling.out == NULL)
        out_of_memory();
    while (*filling.at != '\0') {
        const char *end = NULL;
        bool begins = strncmp(filling.at, "${", 2) == 0;
        const json_t *value = begins ? value_at(&filling, &end) : NULL;
        if (value != NULL)
            put_value(&filling, value, end);
        else
            (void)fputc(*filling.at++, filling.out);
    }
    if (fclose(filling.out) != 0)
        out_of_memory();
    json_t *filled = json_load_limited(after, bytes, err);
    if (filled == NULL)
        (void)error_wrap(err, "with the values of \"set\" in their places");
    return filled;
}

/* ---- the file ---- */

static json_t *load(const char *path, struct error *err)
{
    static const char *const known[] = {"jobs", "set", "summary", NULL};
    struct values file;
    json_t *jobs = NULL;
    json_t *set = NULL;
    if (values_open(path, true, &file, err) < 0)
        return NULL;
    CLEANUP_JSON json_t *whole = json_load_limited(file.text, file.bytes, err);
    values_done(&file);
    if (whole == NULL)
        return NULL;
    if (!json_is_object(whole)) {
        (void)error_set(err, ERROR_INVALID,
                        "it must be a JSON object with the member \"jobs\", an object of jobs by "
                        "name");
        return NULL;
    }
    if (json_only_known(whole, known, err) < 0 ||
        json_get_object(whole, "jobs", true, &jobs, err) < 0 ||
        json_get_object(whole, "set", false, &set, err) < 0)
        return NULL;
    return TAKE_PTR(whole);
}

json_t *pipeline_read(const char *path, const json_t *set, struct error *err)
{
    CLEANUP_JSON json_t *whole = load(path, err);
    if (whole == NULL)
        return NULL;
    CLEANUP_JSON json_t *none = json_object();
    const json_t *defaults = json_object_get(whole, "set");
    CLEANUP_JSON json_t *values = find_values(json_is_object(defaults) ? defaults : none, set, err);
    return values == NULL ? NULL : fill(json_object_get(whole, "jobs"), values, err);
}

/* ---- what comes from here ---- */

/* Where the folder is not UTF-8 a relative one stays so, and the daemon refuses it. */
static void add_cwd(json_t *job, json_t *cwd)
{
    const char *own = json_string_value(json_object_get(job, "cwd"));
    if (json_object_get(job, "cwd") == NULL) {
        json_put(job, "cwd", json_incref(cwd));
    } else if (own != NULL && own[0] != '/' && json_is_string(cwd)) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", json_string_value(cwd), own);
        json_put_text(job, "cwd", path);
    }
}

/* What is no object is the daemon's to refuse, here as in other members. */
static void add_env(json_t *job, const json_t *env)
{
    json_t *own = json_object_get(job, "env");
    if (own == NULL) {
        own = json_object();
        json_put(job, "env", own);
    }
    if (json_is_object(own))
        (void)json_object_update_missing(own, (json_t *)(uintptr_t)env);
}

void pipeline_add_here(json_t *jobs, json_t *cwd, int64_t umask, const json_t *env)
{
    const char *name;
    json_t *job;
    json_object_foreach(jobs, name, job) {
        if (!json_is_object(job))
            continue;
        add_cwd(job, cwd);
        add_env(job, env);
        if (json_object_get(job, "umask") == NULL)
            json_put_int(job, "umask", umask);
    }
}
