#include "processors/image/outcomes.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/image/targets.h"
#include "processors/lib/processor.h"
#include "processors/lib/report.h"

/* batchd keeps at least the last 64 KiB of what a processor tells; the rest of a result and its
 * frame (settings, versions, the error, commas) have less than 8 KiB. */
#define LISTS_BYTES_MAX (56U << 10)
#define FAILURES_LOGGED_MAX 100U

void outcomes_init(struct outcomes *outcomes, size_t total)
{
    *outcomes = (struct outcomes){.list = json_array()};
    for (size_t i = 0; i < total; i++)
        (void)json_array_append_new(outcomes->list, json_null());
}

void outcomes_release(struct outcomes *outcomes)
{
    json_decref(outcomes->list);
}

static void copy(json_t *to, const json_t *from, const char *name)
{
    json_put(to, name, json_deep_copy(json_object_get(from, name)));
}

json_t *outcome_facts(const json_t *one)
{
    const json_t *media = json_object_get(one, "media");
    json_t *input = json_array_get(json_object_get(one, "inputs"), 0);
    json_t *output = json_array_get(json_object_get(one, "outputs"), 0);
    json_t *file = json_object();
    copy(file, media, "format");
    copy(file, media, "width");
    copy(file, media, "height");
    copy(file, json_object_get(one, "metrics"), "psnr");
    json_put(file, "input", json_incref(json_object_get(input, "path")));
    json_put(file, "output", json_incref(json_object_get(output, "path")));
    json_put(file, "ok", json_true());
    return json_pack("{s:o, s:O, s:O}", "file", file, "input", input, "output", output);
}

void outcomes_add_done(struct outcomes *outcomes, size_t picture, const json_t *facts, bool reused)
{
    json_t *entry = json_deep_copy(facts);
    json_put(json_object_get(entry, "file"), "reused", json_boolean(reused));
    (void)json_array_set_new(outcomes->list, picture, entry);
    outcomes->done++;
    outcomes->reused += reused;
    outcomes->unwritten = 0;
}

/* The code by which a job is tried again wins over the one by which it is not. */
static enum error_code together(enum error_code was, enum error_code is)
{
    if (is == ERROR_BUSY || was == ERROR_BUSY)
        return ERROR_BUSY;
    if (is == ERROR_IO || was == ERROR_IO)
        return ERROR_IO;
    return ERROR_DAMAGED;
}

void outcomes_add_failed(struct outcomes *outcomes, size_t picture, const struct target *target,
                         const struct error *err)
{
    bool output = err->code == ERROR_IO || err->code == ERROR_CONFLICT;
    json_t *file = json_object();
    json_put_text(file, "input", target->input);
    json_put_text(file, "output", target->output);
    json_put(file, "ok", json_false());
    json_put(file, "error", processor_error(err));
    (void)json_array_set_new(outcomes->list, picture, json_pack("{s:o}", "file", file));
    if (outcomes->failed++ == 0)
        outcomes->first = *err;
    outcomes->code = together(outcomes->code, err->code);
    outcomes->unwritten = output ? outcomes->unwritten + 1 : 0;
    if (outcomes->failed <= FAILURES_LOGGED_MAX)
        report_log("failed: %s", err->text);
}

/* ---- the result ---- */

/* Marks those of one kind for which there is room. */
static void choose(const struct outcomes *outcomes, bool ok, size_t *room, bool *chosen)
{
    size_t i;
    json_t *entry;
    json_array_foreach(outcomes->list, i, entry) {
        const json_t *is_ok = json_object_get(json_object_get(entry, "file"), "ok");
        size_t bytes = json_dumpb(entry, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
        if (is_ok == NULL || json_is_true(is_ok) != ok || bytes > *room)
            continue;
        chosen[i] = true;
        *room -= bytes;
    }
}

static void append(json_t *list, const json_t *entry, const char *name)
{
    json_t *value = json_object_get(entry, name);
    if (value != NULL)
        (void)json_array_append(list, value);
}

static void put_lists(const struct outcomes *outcomes, json_t *result)
{
    size_t count = json_array_size(outcomes->list), left_out = 0, room = LISTS_BYTES_MAX;
    CLEANUP_FREE bool *chosen = xcalloc(count + 1, sizeof(*chosen));
    json_t *files = json_array(), *inputs = json_array(), *outputs = json_array();
    choose(outcomes, false, &room, chosen);
    choose(outcomes, true, &room, chosen);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(outcomes->list, i);
        left_out += !chosen[i] && !json_is_null(entry);
        if (!chosen[i])
            continue;
        append(files, entry, "file");
        append(inputs, entry, "input");
        append(outputs, entry, "output");
    }
    json_put(result, "files", files);
    json_put(result, "inputs", inputs);
    json_put(result, "outputs", outputs);
    json_put_int(result, "files_left_out", (json_int_t)left_out);
}

json_t *outcomes_result(const struct outcomes *outcomes)
{
    size_t total = json_array_size(outcomes->list);
    json_t *result = json_object();
    json_t *counts = json_object();
    json_t *checkpoints = json_object();
    put_lists(outcomes, result);
    json_put_int(counts, "files", (json_int_t)total);
    json_put_int(counts, "done", outcomes->done);
    json_put_int(counts, "failed", outcomes->failed);
    json_put_int(counts, "not_tried", (json_int_t)(total - outcomes->done - outcomes->failed));
    json_put(result, "counts", counts);
    json_put_int(checkpoints, "reused", outcomes->reused);
    json_put_int(checkpoints, "made", outcomes->done - outcomes->reused);
    json_put(result, "checkpoints", checkpoints);
    json_put_int(result, "frames_in", (json_int_t)total);
    json_put_int(result, "frames_out", outcomes->done);
    json_put(result, "partial", json_boolean(outcomes->done > 0 && outcomes->done < total));
    return result;
}

int outcomes_error(const struct outcomes *outcomes, struct error *err)
{
    char skipped[48] = "";
    size_t total = json_array_size(outcomes->list);
    size_t left = total - outcomes->done - outcomes->failed;
    if (outcomes->failed == 0)
        return 0;
    if (left > 0)
        (void)snprintf(skipped, sizeof(skipped), ", %zu were not tried", left);
    return error_set(err, outcomes->code,
                     "%u of %zu pictures failed, %u are done%s; the first: %.280s",
                     outcomes->failed, total, outcomes->done, skipped, outcomes->first.text);
}
