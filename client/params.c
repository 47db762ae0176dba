#include "client/params.h"

#include "client/pair.h"
#include "client/text.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/frame.h"
#include "common/manifest.h"
#include "common/parse.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct params params_begin(void)
{
    return (struct params){.texts = json_object(), .filed = json_object(), .paths = json_object()};
}

void params_done(struct params *params)
{
    json_decref(params->texts);
    json_decref(params->filed);
    json_decref(params->paths);
}

bool params_option(const char *name)
{
    return strcmp(name, "param") == 0 || strcmp(name, "params-file") == 0;
}

const char *params_given_by(const struct params *params)
{
    if (json_object_size(params->texts) > 0)
        return "param";
    return params->has_files ? "params-file" : NULL;
}

/* ---- --param ---- */

/* A parameter of a list may come several times, each with one of it; params_add looks whether it
 * is one. */
static int take_text(json_t *texts, const char *text)
{
    CLEANUP_JSON json_t *one = json_object();
    const char *name;
    json_t *value;
    int code = pair_take(one, "param", text);
    if (code != 0)
        return code;
    json_object_foreach(one, name, value) {
        json_t *before = json_object_get(texts, name);
        if (before == NULL)
            json_put(texts, name, json_incref(value));
        else if (json_is_array(before))
            (void)json_array_append(before, value);
        else
            json_put(texts, name, json_pack("[OO]", before, value));
    }
    return 0;
}

/* ---- --params-file ---- */

/* No more than a request may have, whatever it is; the caller frees. NULL with err. */
static char *read_file(const char *path, size_t *ret_bytes, struct error *err)
{
    const bool standard = strcmp(path, "-") == 0;
    CLEANUP_FCLOSE FILE *file = standard ? NULL : fopen(path, "re");
    FILE *from = standard ? stdin : file;
    char most[32];
    if (from == NULL) {
        (void)error_set(err, ERROR_IO, "%s", strerrordesc_np(errno));
        return NULL;
    }
    CLEANUP_FREE char *text = xmalloc(FRAME_BYTES_MAX + 1);
    *ret_bytes = fread(text, 1, FRAME_BYTES_MAX + 1, from);
    format_size(FRAME_BYTES_MAX, most, sizeof(most));
    if (ferror(from) != 0)
        (void)error_set(err, ERROR_IO, "%s", strerrordesc_np(errno));
    else if (*ret_bytes > FRAME_BYTES_MAX)
        (void)error_set(err, ERROR_LIMIT, "it has more than %s, the most that a request may have",
                        most);
    else
        return TAKE_PTR(text);
    return NULL;
}

/* Owned. NULL with err. */
static json_t *load(const char *path, struct error *err)
{
    size_t bytes = 0;
    json_error_t detail;
    CLEANUP_FREE char *text = read_file(path, &bytes, err);
    if (text == NULL || frame_check(text, bytes, err) < 0)
        return NULL;
    CLEANUP_JSON json_t *whole =
        json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &detail);
    if (whole == NULL)
        (void)error_set(err, ERROR_INVALID, "line %d, column %d: not valid JSON: %s", detail.line,
                        detail.column, detail.text);
    else if (!json_is_object(whole))
        (void)error_set(err, ERROR_INVALID,
                        "it must be a JSON object of parameters, such as {\"crf\": 23}");
    else
        return TAKE_PTR(whole);
    return NULL;
}

/* What is quoted of the file is not to steer a terminal. */
static int fail_file(int code, const char *path, const struct error *err)
{
    CLEANUP_FREE char *text = text_tame(xstrdup(err->text));
    return cli_fail(code, NULL, "--params-file %s: %s", path, text);
}

static int take_file(struct params *params, struct cli *cli, const char *path)
{
    struct error err;
    const char *name;
    const json_t *value;
    if (cli_claim_input(cli, "params-file", path) != 0)
        return EXIT_USAGE;
    CLEANUP_JSON json_t *whole = load(path, &err);
    if (whole == NULL)
        return fail_file(EXIT_USAGE, path, &err);
    (void)json_object_update(params->filed, whole);
    json_object_foreach(whole, name, value)
        json_put(params->paths, name, json_from_bytes(path, strlen(path)));
    params->has_files = true;
    return 0;
}

int params_take(struct params *params, struct cli *cli, const char *name, const char *value)
{
    return strcmp(name, "param") == 0 ? take_text(params->texts, value)
                                      : take_file(params, cli, value);
}

/* ---- by the manifest ---- */

static bool takes_list(const char *type)
{
    return strcmp(type, "paths") == 0 || strcmp(type, "words") == 0;
}

/* The value as its type in the manifest wants it; what does not read so is sent as text, and the
 * daemon says what is wrong with it. */
static json_t *typed_value(const char *type, const char *text)
{
    bool plain = strcmp(type, "string") == 0 || strcmp(type, "path") == 0 ||
                 (takes_list(type) && text[0] != '[');
    json_t *value = plain ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL)
        value = json_from_bytes(text, strlen(text));
    return value;
}

/* They were taken as texts: `output=42` is a path and `crf=42` a number. */
static int type_texts(const json_t *manifest, json_t *texts)
{
    size_t i;
    json_t *param;
    json_array_foreach(json_object_get(manifest, "params"), i, param) {
        const char *name = json_string_value(json_object_get(param, "name"));
        const char *word = json_string_value(json_object_get(param, "type"));
        const json_t *value = json_object_get(texts, name);
        if (json_is_string(value))
            json_put(texts, name, typed_value(word, json_string_value(value)));
        else if (json_is_array(value) && !takes_list(word))
            return cli_fail(EXIT_USAGE, NULL, "--param %s is given %zu times; it takes one value",
                            name, json_array_size(value));
    }
    return 0;
}

/* The daemon checks them all; what a file gave is looked at here first, so that the file is named.
 */
static int check_filed(const struct params *params, const json_t *manifest, const json_t *all)
{
    static const char before[] = "params.";
    struct error err;
    json_t *checked = NULL;
    if (manifest_check(manifest, all, &checked, &err) == 0) {
        json_decref(checked);
        return 0;
    }
    const char *name = err.field + strlen(before);
    CLEANUP_FREE char *path = NULL;
    if (strncmp(err.field, before, strlen(before)) != 0 ||
        json_object_get(params->texts, name) != NULL ||
        json_get_bytes(params->paths, name, false, PATH_MAX, &path, NULL) <= 0)
        return 0;
    return fail_file(EXIT_REFUSED, path, &err);
}

int params_add(const struct params *params, struct cli *cli, json_t *request)
{
    int code = 0;
    json_t *type = json_object_get(request, "type");
    CLEANUP_JSON json_t *reply =
        cli_call_again(cli, "io.batchd.Processors.Show", json_pack("{sO}", "name", type), &code);
    if (reply == NULL)
        return code;
    const json_t *manifest = json_object_get(reply, "processor");
    code = type_texts(manifest, params->texts);
    if (code != 0)
        return code;
    CLEANUP_JSON json_t *all = json_copy(params->filed);
    (void)json_object_update(all, params->texts);
    if (params->has_files)
        code = check_filed(params, manifest, all);
    json_put(request, "params", json_incref(all));
    return code;
}
