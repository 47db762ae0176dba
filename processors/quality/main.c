/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The processor "quality": one job on stdin (processors/README.md), by FFmpeg's libraries. The
 * result's `metrics` has what was measured also when the job fails because it is too little. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/processor.h"
#include "processors/lib/request.h"
#include "processors/lib/result.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"
#include "processors/media/damage.h"
#include "processors/media/facts.h"
#include "processors/media/media_log.h"
#include "processors/media/versions.h"
#include "processors/quality/gates.h"
#include "processors/quality/measurement.h"

#include <math.h>

struct work {
    struct options options;
    struct source sources[SIDE_COUNT];
    char *target;       /* owned; NULL: no table is wanted */
    const char *staged; /* borrowed from staging.h */
    struct measurement measurement;
    json_t *outputs; /* owned */
};

static void work_done(struct work *work)
{
    measurement_done(&work->measurement);
    source_done(&work->sources[REFERENCE]);
    source_done(&work->sources[DISTORTED]);
    json_decref(work->outputs);
    free(work->target);
}

static int open_inputs(struct work *work, const struct request *request, struct error *err)
{
    static const char *const names[SIDE_COUNT] = {"reference", "distorted"};
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (source_open(request_path(request, names[side]), names[side], &work->sources[side],
                        err) < 0)
            return -1;
    }
    return 0;
}

static int open_output(struct work *work, const struct request *request, struct error *err)
{
    work->target = request_path(request, "output");
    if (work->target == NULL)
        return 0;
    if (source_differs(&work->sources[REFERENCE], work->target, err) < 0 ||
        source_differs(&work->sources[DISTORTED], work->target, err) < 0)
        return -1;
    work->staged = staging_open(work->target, err);
    return work->staged == NULL ? -1
                                : table_open(work->staged, work->target, &work->options,
                                             &work->measurement.table, err);
}

static int publish(struct work *work, struct error *err)
{
    CLEANUP(source_done) struct source written = {0};
    if (work->staged == NULL)
        return 0;
    if (table_finish(&work->measurement.table, err) < 0 ||
        source_open(xstrdup(work->staged), "output", &written, err) < 0 || staging_commit(err) < 0)
        return -1;
    json_put_text(written.facts, "path", work->target);
    (void)json_array_append(work->outputs, written.facts);
    return 0;
}

/* ---- the result ---- */

static json_t *alignment_facts(const struct measurement *measurement)
{
    const struct pairing *pairing = &measurement->pairing;
    json_t *facts = json_object();
    json_put(facts, "drift_ms_max", json_real((double)pairing->drift_ns / 1e6));
    json_put_int(facts, "repeated", pairing->repeated);
    json_put_int(facts, "passed_over", pairing->passed_over);
    json_put_int(facts, "shift_frames", shift_found(&measurement->shift));
    return facts;
}

static json_t *make_metrics(struct work *work)
{
    struct scores *scores = &work->measurement.scores;
    json_t *metrics = json_object();
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (work->options.wanted[metric])
            json_put(metrics, metric_names[metric], scores_summary(scores, (enum metric)metric));
    }
    if (work->options.vmaf_wanted) {
        json_put_text(metrics, "vmaf", "unavailable");
        json_put_text(metrics, "vmaf_reason", options_vmaf());
    }
    json_put_int(metrics, "frames_compared", (int64_t)scores->count);
    if (work->options.wanted[METRIC_PSNR])
        json_put(metrics, "identical", json_boolean(isinf(scores_mean(scores, METRIC_PSNR))));
    json_put(metrics, "alignment", alignment_facts(&work->measurement));
    json_put(metrics, "gates", gates_facts(scores));
    return metrics;
}

static json_t *make_result(struct work *work)
{
    const struct reader *reference = &work->measurement.sides[REFERENCE].reader;
    const struct reader *distorted = &work->measurement.sides[DISTORTED].reader;
    json_t *result = result_begin();
    result_add_input(result, &work->sources[REFERENCE]);
    result_add_input(result, &work->sources[DISTORTED]);
    result_put_in(result, "media", "reference", facts_media(reference));
    result_put_in(result, "media", "distorted", facts_media(distorted));
    json_put(result, "outputs", json_incref(work->outputs));
    json_put_int(result, "frames_in", reference->frames);
    json_put_int(result, "duration_us", reader_duration_us(reference));
    json_put(result, "metrics", make_metrics(work));
    return result;
}

/* Of the files that were not whole; NULL: that is not why it failed. */
static json_t *tell_damage(struct work *work, struct error *err)
{
    static const char *const labels[SIDE_COUNT] = {"reference", "distorted"};
    CLEANUP_JSON json_t *result = result_begin();
    bool found = false;
    for (int side = 0; side < SIDE_COUNT; side++) {
        struct error other = {0}; /* the first one that is damaged is told */
        result_add_input(result, &work->sources[side]);
        if (side_is_damaged(&work->measurement.sides[side]))
            found |= damage_add(result, work->sources[side].path, labels[side], NULL, NULL,
                                found ? &other : err);
    }
    return found ? TAKE_PTR(result) : NULL;
}

/* Who says that frames belong together by their numbers is believed. */
static int check_shift(const struct measurement *measurement, struct error *err)
{
    const int later = shift_found(&measurement->shift);
    if (later == 0 || measurement->options->pairing == PAIR_NUMBER)
        return 0;
    return error_set(err, ERROR_DAMAGED,
                     "distorted shows its pictures %d frames %s than reference; what was measured "
                     "is of pictures that do not belong together",
                     abs(later), later > 0 ? "later" : "earlier");
}

static int run(const struct request *request, json_t **ret_result, struct error *err)
{
    CLEANUP(work_done) struct work work = {.outputs = json_array()};
    media_log_init();
    work.measurement.options = &work.options;
    if (options_read(request, &work.options, err) < 0 || open_inputs(&work, request, err) < 0 ||
        open_output(&work, request, err) < 0)
        return -1;
    const char *const paths[SIDE_COUNT] = {work.sources[REFERENCE].path,
                                           work.sources[DISTORTED].path};
    if (measurement_run(&work.measurement, paths, request->cpus, err) < 0) {
        (void)source_explain(&work.sources[REFERENCE], err);
        (void)source_explain(&work.sources[DISTORTED], err);
        if (err->code == ERROR_DAMAGED)
            *ret_result = tell_damage(&work, err);
        return -1;
    }
    if (source_unchanged(&work.sources[REFERENCE], err) < 0 ||
        source_unchanged(&work.sources[DISTORTED], err) < 0 || publish(&work, err) < 0)
        return -1;
    *ret_result = make_result(&work);
    return check_shift(&work.measurement, err) < 0 ? -1
                                                   : gates_check(&work.measurement.scores, err);
}

int main(int argc, char **argv)
{
    static const struct processor quality = {.name = "quality",
                                             .version = BATCHD_VERSION,
                                             .run = run,
                                             .add_versions = media_add_versions};
    return processor_main(argc, argv, &quality);
}
