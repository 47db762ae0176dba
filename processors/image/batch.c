#include "processors/image/batch.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/image/conversion.h"
#include "processors/image/outcomes.h"
#include "processors/image/targets.h"
#include "processors/lib/journal.h"
#include "processors/lib/preview.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"

#include <sys/stat.h>
#include <vips/vips.h>

/* One output that cannot be written may be its picture's fault; a full disk or a folder that was
 * closed to us stops them all, and another attempt goes on from here. */
#define UNWRITTEN_MAX 2U

struct run {
    const struct batch *batch; /* borrowed */
    struct journal *journal;   /* owned */
    struct outcomes outcomes;
    struct progress progress;
    double bytes; /* of all inputs, by which progress is measured; at least 1 */
};

static void run_done(struct run *run)
{
    outcomes_release(&run->outcomes);
    journal_close(run->journal);
}

/* ---- the journal ---- */

/* All that decides what a picture becomes, but its file. */
static json_t *journal_key(const struct request *request)
{
    json_t *key = json_object();
    json_put(key, "params", json_incref(request->params));
    json_put_text(key, "cwd", request->cwd);
    json_put_text(key, "version", BATCHD_VERSION);
    json_put_text(key, "libvips", vips_version_string());
    return key;
}

static json_t *list_inputs(const struct targets *targets)
{
    json_t *inputs = json_array();
    for (size_t i = 0; i < targets->count; i++)
        (void)json_array_append_new(inputs, json_string(targets->target[i].input));
    return inputs;
}

/* What a pattern matches is decided once, by the first attempt: unit N is the picture N of that
 * list. */
static int take_plan(const struct run *run, struct error *err)
{
    const struct batch *batch = run->batch;
    CLEANUP_JSON json_t *inputs = list_inputs(batch->targets);
    const json_t *plan = journal_plan(run->journal);
    if (plan == NULL)
        return journal_begin(run->journal, inputs, err);
    if (json_equal(plan, inputs))
        return 0;
    report_log("the pictures are the %zu that the first attempt found", json_array_size(plan));
    targets_done(batch->targets);
    return targets_plan(batch->request, batch->options, plan, true, batch->targets, err);
}

static int open_journal(struct run *run, struct error *err)
{
    const char *folder = run->batch->targets->folder;
    CLEANUP_JSON json_t *key = journal_key(run->batch->request);
    if (staging_make_folder(folder, err) < 0 ||
        journal_open(run->batch->request, folder, key, &run->journal, err) < 0)
        return -1;
    return take_plan(run, err);
}

/* ---- one picture ---- */

/* Whether a file still is what the journal says of it. */
static bool is_same_input(const json_t *facts)
{
    struct error ignored;
    CLEANUP(source_done) struct source source = {0};
    const json_t *was = json_object_get(facts, "input");
    const char *path = json_string_value(json_object_get(was, "path"));
    return path != NULL && source_open(xstrdup(path), "input", &source, &ignored) == 0 &&
           json_equal(source.facts, was);
}

static bool is_same_output(const json_t *facts)
{
    const json_t *was = json_object_get(facts, "output");
    const char *path = json_string_value(json_object_get(was, "path"));
    CLEANUP_JSON json_t *is = path == NULL ? NULL : staging_look(path);
    return is != NULL && json_equal(is, was);
}

/* 1: an earlier attempt has made it. */
static int reuse(struct run *run, unsigned unit)
{
    CLEANUP_JSON json_t *facts = journal_find(run->journal, unit);
    if (facts == NULL)
        return 0;
    const char *changed = !is_same_input(facts)    ? "input"
                          : !is_same_output(facts) ? "output"
                                                   : NULL;
    if (changed == NULL) {
        outcomes_add_done(&run->outcomes, unit, facts, true);
        return 1;
    }
    report_log("%s \"%.200s\" is not what it was when it was done; it is made anew", changed,
               json_string_value(json_object_get(json_object_get(facts, changed), "path")));
    journal_drop(run->journal, unit);
    return 0;
}

/* -1 only when no other picture can be made either. */
static int make(struct run *run, unsigned unit, struct error *err)
{
    const struct target *target = &run->batch->targets->target[unit];
    CLEANUP_JSON json_t *one = json_object();
    struct conversion conversion = {.request = run->batch->request,
                                    .options = run->batch->options,
                                    .target = target,
                                    .progress = run->progress};
    if (conversion_run(&conversion, one, err) < 0) {
        staging_discard();
        outcomes_add_failed(&run->outcomes, unit, target, err);
        return run->outcomes.unwritten < UNWRITTEN_MAX ? 0 : -1;
    }
    CLEANUP_JSON json_t *facts = outcome_facts(one);
    outcomes_add_done(&run->outcomes, unit, facts, false);
    if (preview_due())
        report_preview(target->output);
    return journal_add(run->journal, unit, facts, err);
}

static void begin_picture(struct run *run, unsigned unit)
{
    run->progress.share = (double)run->batch->targets->target[unit].bytes / run->bytes;
    run->progress.done = run->outcomes.done;
}

static void end_picture(struct run *run)
{
    run->progress.before += run->progress.share;
    report_progress(run->progress.before, run->outcomes.done);
}

/* An attempt was ended while it made this one, maybe by it (a fault of its decoder, more memory
 * than there is): it waits, *ret_later, until all others are made. */
static int make_first(struct run *run, unsigned unit, bool *ret_later, struct error *err)
{
    const struct target *target = &run->batch->targets->target[unit];
    if (reuse(run, unit) > 0)
        return 0;
    *ret_later = staging_is_left(target->output);
    if (!*ret_later)
        return make(run, unit, err);
    report_log("input \"%.200s\": an attempt was ended while it made it; it is made last",
               target->input);
    return 0;
}

static int make_all(struct run *run, struct error *err)
{
    const struct targets *targets = run->batch->targets;
    CLEANUP_FREE bool *later = xcalloc(targets->count, sizeof(*later));
    for (size_t i = 0; i < targets->count; i++)
        run->bytes += (double)targets->target[i].bytes;
    for (unsigned i = 0; i < targets->count; i++) {
        begin_picture(run, i);
        if (make_first(run, i, &later[i], err) < 0)
            return -1;
        if (!later[i])
            end_picture(run);
    }
    for (unsigned i = 0; i < targets->count; i++) {
        begin_picture(run, i);
        if (later[i] && make(run, i, err) < 0)
            return -1;
        if (later[i])
            end_picture(run);
    }
    return 0;
}

int batch_run(const struct batch *batch, json_t **ret_result, struct error *err)
{
    CLEANUP(run_done) struct run run = {.batch = batch, .bytes = 1};
    if (open_journal(&run, err) < 0)
        return -1;
    outcomes_init(&run.outcomes, batch->targets->count);
    int failed = make_all(&run, err);
    *ret_result = outcomes_result(&run.outcomes);
    if (failed < 0) {
        enum error_code code = err->code; /* of what stopped it */
        (void)outcomes_error(&run.outcomes, err);
        err->code = code;
        return -1;
    }
    if (outcomes_error(&run.outcomes, err) < 0)
        return -1; /* with the journal: once what is wrong is mended, the job can be run again */
    journal_remove(run.journal);
    return 0;
}
