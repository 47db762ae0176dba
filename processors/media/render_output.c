/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The end of a rendering: chunks and sound are joined, what was written is read again, and gets its
 * name. */
#include "processors/media/render.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/journal.h"
#include "processors/lib/request.h"
#include "processors/lib/report.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"
#include "processors/media/facts.h"
#include "processors/media/join.h"
#include "processors/media/sound.h"

#include <string.h>

static void add_up(struct render *render)
{
    render->in = (struct time_span){0};
    render->frames_out = 0;
    for (unsigned i = 0; i < render->plan.count; i++) {
        CLEANUP_JSON json_t *facts = journal_find(render->journal, i);
        time_span_append(&render->in, facts);
        render->frames_out += json_integer_value(json_object_get(facts, "frames"));
    }
}

/* ---- joining ---- */

/* The sound's path is the one behind the chunks'. */
static int join(struct render *render, char *const *paths, unsigned chunks, const char *staged,
                struct join_written *ret, struct error *err)
{
    const bool sound = render->reader.audio != NULL && strcmp(render->audio, "none") != 0;
    const AVRational second = {1, 1};
    const struct join_parts parts = {
        .chunks = (const char *const *)paths,
        .chunk_count = chunks,
        .last_duration = render->in.last_duration,
        .source_base = render->recipe.source_base,
        .source = &render->reader,
        .rate = render->one_to_one ? render->reader.video->avg_frame_rate
                                   : render->recipe.settings.rate,
        .keep_matrix = render->keep_matrix,
        .one_to_one = render->one_to_one,
        .sound = !sound                  ? NULL
                 : render->sound_encoded ? paths[chunks]
                                         : render->source->path,
        .sound_offset = render->sound_encoded ? SOUND_LEAD_SECONDS : render->recipe.offset,
        .sound_offset_base = render->sound_encoded ? second : render->recipe.source_base,
        .container = render->container};
    return join_write(&parts, staged, ret, err);
}

/* At a low rate a short chunk may have no picture at all. */
static bool has_frames(const struct render *render, unsigned unit)
{
    CLEANUP_JSON json_t *facts = journal_find(render->journal, unit);
    return json_integer_value(json_object_get(facts, "frames")) > 0;
}

static int join_chunks(struct render *render, const char *staged, struct join_written *ret,
                       struct error *err)
{
    const unsigned count = render->plan.count + 1;
    char **paths = xcalloc(count + 1, sizeof(*paths));
    unsigned chunks = 0;
    for (unsigned i = 0; i < render->plan.count; i++) {
        if (has_frames(render, i))
            paths[chunks++] = journal_path(render->journal, i, "nut");
    }
    paths[chunks] = journal_path(render->journal, render->plan.count, "nut");
    int result = join(render, paths, chunks, staged, ret, err);
    for (unsigned i = 0; i <= chunks; i++)
        free(paths[i]);
    free(paths);
    return result;
}

/* ---- the check of what was written ---- */

/* Its index is read, its sound decoded; the pictures were, chunk by chunk. What is found here is a
 * bug, or a disk or memory that lies. */
static int check_counts(const struct render *render, const struct join_written *written,
                        const struct packet_index *index, struct error *err)
{
    if (index->packets != written->frames)
        return error_set(err, ERROR_INTERNAL, "it has %lld pictures instead of %lld",
                         (long long)index->packets, (long long)written->frames);
    if (index->audio_packets != written->sound_packets)
        return error_set(err, ERROR_INTERNAL, "it has %lld packets of sound instead of %lld",
                         (long long)index->audio_packets, (long long)written->sound_packets);
    if (render->one_to_one && written->frames != render->in.frames)
        return error_set(err, ERROR_INTERNAL, "it has %lld frames, the input %lld",
                         (long long)written->frames, (long long)render->in.frames);
    return 0;
}

/* Each at its time; of a constant rate one distance, within what Matroska's milliseconds can tell.
 */
static int check_times(const struct render *render, const struct join_written *written,
                       const struct packet_index *index, struct reader *output, struct error *err)
{
    const AVRational base = output->video->time_base;
    const AVRational millisecond = {1, 1000};
    struct time_span out = {.last_duration = index->last_duration};
    for (size_t i = 0; i < index->count; i++)
        time_span_add(&out, index->times[i]);
    time_span_apply(&out, output);
    output->frames = index->packets;
    output->audio_packets = index->audio_packets;
    if (!render->one_to_one && av_compare_ts(out.step_max - out.step_min, base, 1, millisecond) > 0)
        return error_set(err, ERROR_INTERNAL,
                         "its frames are not at one distance: %lld to %lld x %d/%d s",
                         (long long)out.step_min, (long long)out.step_max, base.num, base.den);
    /* Two within one unit of its time base cannot be told apart. */
    return (int64_t)index->count == written->frames ? join_compare(written, base, index->times, err)
                                                    : 0;
}

static int verify(const struct render *render, const char *staged,
                  const struct join_written *written, struct reader *output, struct error *err)
{
    CLEANUP(packet_index_done) struct packet_index index = {0};
    int result = reader_open(staged, "output", 1, output, err);
    output->progress_to = 0;
    if (result == 0)
        result = packet_index_read(output, &index, err);
    if (result == 0)
        result = check_counts(render, written, &index, err);
    if (result == 0)
        result = check_times(render, written, &index, output, err);
    if (result == 0)
        return 0;
    err->code = err->code == ERROR_DAMAGED ? ERROR_INTERNAL : err->code;
    return error_wrap(err, "the check of the output");
}

static int check_sound(const char *staged, struct reader *output, struct error *err)
{
    CLEANUP(reader_close) struct reader reader = {0};
    const struct reader_calls calls = {0};
    if (reader_open_sound(staged, "output", &reader, err) < 0 ||
        reader_decode_audio(&reader, err) < 0)
        return -1;
    reader.progress_to = 0;
    int result = reader_run(&reader, &calls, err);
    output->audio_samples = reader.audio_samples;
    return result;
}

/* ---- the result ---- */

static json_t *make_result(struct render *render, const struct reader *output, json_t *output_facts)
{
    json_t *result = json_object();
    json_t *inputs = json_array();
    json_t *outputs = json_array();
    json_t *media = json_object();
    json_t *checkpoints = json_object();
    time_span_apply(&render->in, &render->reader);
    render->reader.audio_packets = render->index.audio_packets;
    (void)json_array_append(inputs, render->source->facts);
    (void)json_array_append(outputs, output_facts);
    json_put(media, "input", facts_media(&render->reader));
    json_put(media, "output", facts_media(output));
    json_put_int(checkpoints, "reused", render->reused);
    json_put_int(checkpoints, "made", render->made);
    json_put(result, "inputs", inputs);
    json_put(result, "outputs", outputs);
    json_put_int(result, "frames_in", render->in.frames);
    json_put_int(result, "frames_out", render->frames_out);
    json_put_int(result, "duration_us", reader_duration_us(&render->reader));
    json_put(result, "media", media);
    json_put(result, "metrics", json_object());
    json_put(result, "checkpoints", checkpoints);
    return result;
}

static void done_written(struct join_written *written)
{
    free(written->times);
}

int render_publish(struct render *render, json_t **ret_result, struct error *err)
{
    CLEANUP(reader_close) struct reader output = {0};
    CLEANUP(source_done) struct source file = {0};
    CLEANUP(done_written) struct join_written written = {0};
    add_up(render);
    if (render->in.frames == 0)
        return error_set(err, ERROR_DAMAGED, "input holds no frame that decodes");
    if (render->frames_out == 0)
        return error_set_field(err, "params.fps",
                               "params.fps is so low that no frame is left of %lld",
                               (long long)render->in.frames);
    const char *staged = render->staged;
    if (join_chunks(render, staged, &written, err) < 0 ||
        verify(render, staged, &written, &output, err) < 0 ||
        (output.audio != NULL && check_sound(staged, &output, err) < 0) ||
        source_open(xstrdup(staged), "output", &file, err) < 0)
        return -1;
    json_put_text(file.facts, "path", render->target);
    if (source_unchanged(render->source, err) < 0) /* its sound may have been read since */
        return -1;
    if (staging_commit(err) < 0)
        return -1;
    report_progress(1, render->in.frames);
    journal_remove(render->journal);
    *ret_result = make_result(render, &output, file.facts);
    return 0;
}
