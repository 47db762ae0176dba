#include "client/show_result.h"

#include "client/reply.h"
#include "client/show_line.h"
#include "client/show_media.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"

#include <stdbool.h>
#include <string.h>

/* Of a hundred files and more, those at the beginning are enough to know what they are. */
#define PATHS_MAX 4
#define SHA256_SHOWN 16

/* ", " and the text behind what is there. */
static void append(char **text, const char *more)
{
    char *longer = xasprintf("%s%s%s", *text, (*text)[0] == '\0' ? "" : ", ", more);
    free(*text);
    *text = longer;
}

static void append_count(char **text, const json_t *result, const char *key, const char *format)
{
    if (!json_is_integer(json_object_get(result, key)))
        return;
    CLEANUP_FREE char *more = xasprintf("%lld %s", reply_number(result, key), format);
    append(text, more);
}

static void append_seconds(char **text, const json_t *result, const char *key, const char *what)
{
    if (!json_is_integer(json_object_get(result, key)))
        return;
    CLEANUP_FREE char *more = xasprintf("%s %.2f s", what, (double)reply_number(result, key) / 1e6);
    append(text, more);
}

static void show_summary(const json_t *result)
{
    CLEANUP_FREE char *text = xstrdup("");
    append_count(&text, result, "frames_in", "frames in");
    append_count(&text, result, "frames_out", "frames out");
    append_seconds(&text, result, "duration_us", "length");
    append_seconds(&text, result, "elapsed_us", "made in");
    if (json_is_true(json_object_get(result, "partial")))
        append(&text, "partial");
    show_line("result", text);
}

/* ---- files ---- */

static void show_file(const char *label, const json_t *file)
{
    const json_t *name = json_object_get(file, "path");
    CLEANUP_FREE char *path = /* an object: it is no UTF-8 */
        json_is_string(name) ? xstrdup(json_string_value(name)) : json_to_text(name, NULL);
    const char *sum = json_string_value(json_object_get(file, "sha256"));
    char bytes[32];
    format_size((uint64_t)reply_number(file, "bytes"), bytes, sizeof(bytes));
    CLEANUP_FREE char *text =
        xasprintf("%s (%s%s%.*s)", path, bytes, sum == NULL ? "" : ", sha256 ", SHA256_SHOWN,
                  sum == NULL ? "" : sum);
    show_line(label, text);
}

static void show_paths(const char *label, const json_t *files)
{
    const size_t count = json_array_size(files);
    for (size_t i = 0; i < count && i < PATHS_MAX; i++)
        show_file(label, json_array_get(files, i));
    if (count <= PATHS_MAX)
        return;
    CLEANUP_FREE char *text = xasprintf("and %zu more", count - PATHS_MAX);
    show_line(label, text);
}

/* Of several files: how many, and those that failed, with the reason. */
static void show_files(const json_t *result)
{
    const json_t *counts = json_object_get(result, "counts");
    const json_t *file;
    size_t i;
    size_t failed = 0;
    if (json_is_object(counts)) {
        CLEANUP_FREE char *text = xstrdup("");
        append_count(&text, counts, "done", "done");
        append_count(&text, counts, "failed", "failed");
        append_count(&text, counts, "not_tried", "not tried");
        show_line("files", text);
    }
    json_array_foreach(json_object_get(result, "files"), i, file) {
        const json_t *error = json_object_get(file, "error");
        const json_t *why = json_is_object(error) ? json_object_get(error, "message") : error;
        const char *input = json_string_value(json_object_get(file, "input"));
        if (!json_is_string(why) || input == NULL || failed++ >= PATHS_MAX)
            continue;
        CLEANUP_FREE char *text = xasprintf("%s: %s", input, json_string_value(why));
        show_line("failed", text);
    }
}

/* ---- figures ---- */

/* "mean 35.33, min 30.1, ..." of an object, the figure itself of another. */
static char *figures_of(const json_t *metric)
{
    CLEANUP_FREE char *text = xstrdup("");
    const char *name;
    const json_t *value;
    if (json_is_null(json_object_get(metric, "mean"))) /* the PSNR of what is the same */
        return xstrdup("infinite");
    if (json_is_real(metric))
        return xasprintf("%.6g", json_real_value(metric));
    if (!json_is_object(metric))
        return json_is_string(metric) ? xstrdup(json_string_value(metric))
                                      : json_to_text(metric, NULL);
    json_object_foreach((json_t *)(uintptr_t)metric, name, value) {
        if (json_is_null(value) || json_is_object(value) || json_is_array(value))
            continue;
        CLEANUP_FREE char *figure = figures_of(value);
        CLEANUP_FREE char *more = xasprintf("%s %s", name, figure);
        append(&text, more);
    }
    return TAKE_PTR(text);
}

/* "ssim 0.956986, 0.99 asked: failed" */
static void show_gate(const json_t *gate)
{
    const json_t *metric = json_object_get(gate, "metric");
    const json_t *min = json_object_get(gate, "min");
    const json_t *mean = json_object_get(gate, "mean");
    if (!json_is_string(metric) || !json_is_number(min))
        return;
    CLEANUP_FREE char *found = json_is_number(mean) ? figures_of(mean) : xstrdup("infinite");
    CLEANUP_FREE char *text =
        xasprintf("%s %s, %.6g asked: %s", json_string_value(metric), found, json_number_value(min),
                  json_is_true(json_object_get(gate, "passed")) ? "passed" : "failed");
    show_line("gate", text);
}

static void show_metrics(const json_t *metrics)
{
    const char *name;
    const json_t *metric;
    json_object_foreach((json_t *)(uintptr_t)metrics, name, metric) {
        if (json_is_null(metric) || json_is_array(metric))
            continue;
        CLEANUP_FREE char *figures = figures_of(metric);
        show_line(name, figures);
    }
    const json_t *gates = json_object_get(metrics, "gates");
    for (size_t i = 0; i < json_array_size(gates); i++)
        show_gate(json_array_get(gates, i));
}

/* "input: 114 frames decode, 0 flawed, 80 lost of 194; the first fault after 112 frames (4.75 s)".
 */
static void show_damage(const json_t *damage)
{
    const char *name;
    const json_t *one;
    json_object_foreach((json_t *)(uintptr_t)damage, name, one) {
        const json_t *first = json_object_get(one, "first_fault");
        CLEANUP_FREE char *lost =
            json_is_integer(json_object_get(one, "frames_lost"))
                ? xasprintf(", %lld lost of %lld", reply_number(one, "frames_lost"),
                            reply_number(one, "frames_expected"))
                : xstrdup("");
        CLEANUP_FREE char *text = xasprintf(
            "%s: %lld frames decode, %lld flawed%s; the first fault after %lld frames (%.2f s)",
            name, reply_number(one, "frames_decoded"), reply_number(one, "frames_flawed"), lost,
            reply_number(first, "frames_before"), (double)reply_number(first, "time_us") / 1e6);
        show_line("damage", text);
    }
}

/* What did not come over that nobody asked to leave out. */
static void show_warnings(const json_t *warnings)
{
    const json_t *one;
    size_t i;
    json_array_foreach(warnings, i, one)
        show_value("warning", one);
}

/* ---- all of it ---- */

/* Known, and shown above or too long for a line. */
static bool is_known(const char *name)
{
    static const char *const known[] = {
        "schema",     "processor",      "version",     "versions",    "settings",  "sandbox",
        "inputs",     "outputs",        "files",       "counts",      "frames_in", "frames_out",
        "elapsed_us", "partial",        "media",       "duration_us", "metrics",   "damage",
        "error",      "files_left_out", "checkpoints", "warnings"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], name) == 0)
            return true;
    }
    return false;
}

void show_result(const json_t *result)
{
    const json_t *checkpoints = json_object_get(result, "checkpoints");
    const char *name;
    const json_t *member;
    if (!json_is_object(result)) {
        show_value("result", result);
        return;
    }
    show_summary(result);
    show_paths("input", json_object_get(result, "inputs"));
    show_paths("output", json_object_get(result, "outputs"));
    show_media(json_object_get(result, "media"));
    show_files(result);
    show_metrics(json_object_get(result, "metrics"));
    show_damage(json_object_get(result, "damage"));
    show_warnings(json_object_get(result, "warnings"));
    if (reply_number(checkpoints, "reused") > 0) {
        CLEANUP_FREE char *text =
            xasprintf("%lld parts of an earlier attempt, %lld made",
                      reply_number(checkpoints, "reused"), reply_number(checkpoints, "made"));
        show_line("taken over", text);
    }
    json_object_foreach((json_t *)(uintptr_t)result, name, member) {
        if (!is_known(name))
            show_value(name, member);
    }
}
