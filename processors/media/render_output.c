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
#include "processors/lib/result.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"
#include "processors/media/facts.h"
#include "processors/media/first_frame.h"
#include "processors/media/join.h"
#include "processors/media/reader_proof.h"
#include "processors/media/sound.h"
#include "processors/media/subtitle_text.h"

#include <string.h>

#define LEFT_OUT_MAX 40

static void add_up(struct render *render)
{
    render->in = (struct time_span){0};
    render->frames_out = render->frames_decoded = render->scene_cuts = 0;
    for (unsigned i = 0; i < render->plan.count; i++) {
        CLEANUP_JSON json_t *facts = journal_find(render->journal, i);
        time_span_append(&render->in, facts);
        render->frames_out += json_integer_value(json_object_get(facts, "frames"));
        render->frames_decoded += json_integer_value(json_object_get(facts, "frames_decoded"));
        render->scene_cuts += json_integer_value(json_object_get(facts, "scene_cuts"));
        render->captions |= json_is_true(json_object_get(facts, "captions"));
    }
}

/* ---- joining ---- */

/* Paths of the chunks, then of the sound that was encoded. */
static int join(struct render *render, char *const *paths, unsigned chunks, const char *staged,
                struct join_written *ret, struct error *err)
{
    const struct join_parts parts = {
        .chunks = (const char *const *)paths,
        .chunk_count = chunks,
        .last_duration = render->in.last_duration,
        .source_base = render->recipe.source_base,
        .source = &render->reader,
        .source_path = render->source->path,
        .rate = render->one_to_one ? render->reader.video->avg_frame_rate
                                   : render->recipe.settings.rate,
        .colour = &render->colour,
        .keep_matrix = render->keep_matrix,
        .keep_tags = strcmp(request_string(render->request, "metadata", "copy"), "none") != 0,
        .one_to_one = render->one_to_one,
        .tracks = &render->tracks,
        .encoded = (const char *const *)paths + chunks,
        .offset = render->recipe.offset,
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
    const unsigned encoded = tracks_encoded_count(&render->tracks);
    char **paths = xcalloc(render->plan.count + encoded + 1, sizeof(*paths));
    unsigned chunks = 0;
    for (unsigned i = 0; i < render->plan.count; i++) {
        if (has_frames(render, i))
            paths[chunks++] = journal_path(render->journal, i, "nut");
    }
    for (unsigned i = 0; i < encoded; i++)
        paths[chunks + i] = journal_path(render->journal, render->plan.count + i, "nut");
    int result = join(render, paths, chunks, staged, ret, err);
    for (unsigned i = 0; i < chunks + encoded; i++)
        free(paths[i]);
    free(paths);
    return result;
}

/* ---- the check of what was written ---- */

/* The number of that track's stream. The picture's comes first, the others behind it in their
 * order; MP4 has a track for chapters behind those, and covers behind that. */
static unsigned stream_of(const struct tracks *tracks, size_t at, const AVFormatContext *output)
{
    size_t covers = 0;
    if (tracks->list[at].way != TRACK_COVER)
        return (unsigned)at + 1;
    for (size_t i = 0; i <= at; i++)
        covers += tracks->list[i].way == TRACK_COVER;
    for (unsigned i = 0; i < output->nb_streams; i++) {
        if ((output->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0 && --covers == 0)
            return i;
    }
    return output->nb_streams;
}

static int check_tracks(const struct render *render, const struct join_written *written,
                        const struct reader *output, const struct packet_index *index,
                        struct error *err)
{
    const struct tracks *tracks = &render->tracks;
    for (size_t i = 0; i < tracks->count; i++) {
        const unsigned number = stream_of(tracks, i, output->format);
        if (number >= output->format->nb_streams)
            return error_set(err, ERROR_INTERNAL, "it lacks stream %u (%s)", number,
                             avcodec_get_name(tracks->list[i].codec));
        const int64_t found = packet_index_packets(index, output->format->streams[number]);
        if (tracks_has_packets(&tracks->list[i]) && found != written->packets[i])
            return error_set(err, ERROR_INTERNAL,
                             "it has %lld packets of stream %u (%s) instead of %lld",
                             (long long)found, number, avcodec_get_name(tracks->list[i].codec),
                             (long long)written->packets[i]);
    }
    return 0;
}

static int check_counts(const struct render *render, const struct join_written *written,
                        const struct packet_index *index, struct error *err)
{
    if (index->packets != written->frames)
        return error_set(err, ERROR_INTERNAL, "it has %lld pictures instead of %lld",
                         (long long)index->packets, (long long)written->frames);
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
    output->audio_packets = packet_index_packets(index, output->audio);
    if (!render->one_to_one && av_compare_ts(out.step_max - out.step_min, base, 1, millisecond) > 0)
        return error_set(err, ERROR_INTERNAL,
                         "its frames are not at one distance: %lld to %lld x %d/%d s",
                         (long long)out.step_min, (long long)out.step_max, base.num, base.den);
    /* Two within one unit of its time base cannot be told apart. */
    return (int64_t)index->count == written->frames ? join_compare(written, base, index->times, err)
                                                    : 0;
}

/* ---- the sound of what was written ---- */

/* With what is trimmed, as it was when it was decoded: that of the input with its index, what was
 * encoded in its unit. */
static int64_t samples_before(const struct render *render, size_t at)
{
    unsigned encoded = 0;
    const int source = render->tracks.list[at].source;
    if (render->tracks.list[at].way == TRACK_COPY)
        return reader_proved(&render->reader, source) + render->index.stream_trimmed[source];
    for (size_t i = 0; i < at; i++)
        encoded += render->tracks.list[i].way == TRACK_ENCODE;
    CLEANUP_JSON json_t *facts = journal_find(render->journal, render->plan.count + encoded);
    return json_integer_value(json_object_get(facts, "samples"));
}

static bool is_as_before(const struct render *render, size_t at, unsigned number,
                         const struct join_written *written, const struct packet_index *index)
{
    const AVStream *from = render->reader.format->streams[render->tracks.list[at].source];
    return from->codecpar->codec_type != AVMEDIA_TYPE_AUDIO ||
           index->stream_sums[number] == written->sums[at];
}

/* Tracks whose headers and packets are those that were decoded before need not be decoded again;
 * AAC from a transport stream takes another form. Those are decoded, in one reading. */
static int decode_changed(const struct render *render, const char *staged,
                          const struct join_written *written, const struct packet_index *index,
                          struct reader *ret, struct error *err)
{
    const struct reader_calls calls = {0};
    for (size_t i = 0; i < render->tracks.count; i++) {
        const unsigned number = (unsigned)i + 1; /* covers are no sound */
        if (is_as_before(render, i, number, written, index))
            continue;
        if ((ret->format == NULL && reader_open_bare(staged, "output", ret, err) < 0) ||
            reader_prove(ret, (int)number, err) < 0)
            return -1;
    }
    ret->progress_to = 0;
    return ret->format == NULL ? 0 : reader_run(ret, &calls, err);
}

static int check_sound(const struct render *render, const char *staged,
                       const struct join_written *written, const struct packet_index *index,
                       struct reader *output, struct error *err)
{
    CLEANUP(reader_close) struct reader again = {0};
    if (decode_changed(render, staged, written, index, &again, err) < 0)
        return -1;
    for (size_t i = 0; output->audio != NULL && i < render->tracks.count; i++) {
        if (stream_of(&render->tracks, i, output->format) != (unsigned)output->audio->index)
            continue;
        const int64_t decoded = reader_proved(&again, output->audio->index);
        output->audio_samples =
            decoded > 0 ? decoded
                        : samples_before(render, i) - index->stream_trimmed[output->audio->index];
    }
    return 0;
}

/* Its index is read, and sound that is not as it was decoded; the pictures were decoded chunk by
 * chunk. What is found here is a bug, or a disk or memory that lies. */
static int verify(const struct render *render, const char *staged,
                  const struct join_written *written, struct reader *output, struct error *err)
{
    CLEANUP(packet_index_done) struct packet_index index = {0};
    int result = reader_open(staged, "output", 1, output, err);
    output->progress_to = 0;
    for (size_t i = 0; result == 0 && i < render->tracks.count; i++) {
        if (tracks_has_packets(&render->tracks.list[i]) && i + 1 < output->format->nb_streams)
            result = reader_add(output, (int)i + 1, err);
    }
    if (result == 0)
        result = packet_index_read(output, &index, err);
    if (result == 0)
        result = check_counts(render, written, &index, err);
    if (result == 0)
        result = check_tracks(render, written, output, &index, err);
    if (result == 0)
        result = check_times(render, written, &index, output, err);
    if (result == 0)
        result = check_sound(render, staged, written, &index, output, err);
    if (result == 0)
        return 0;
    err->code = err->code == ERROR_DAMAGED ? ERROR_INTERNAL : err->code;
    return error_wrap(err, "the check of the output");
}

/* ---- the result ---- */

/* Of more streams than a result names there is no object. */
static void put_origin(json_t *stream, int from, const char *how)
{
    if (stream == NULL)
        return;
    json_put_int(stream, "from", from);
    json_put_text(stream, "how", how);
}

/* A result is one line of 64 KiB at most; a file may have a thousand streams. */
static void put_left_out(json_t *media, const json_t *left_out)
{
    json_t *listed = json_array();
    for (size_t i = 0; i < json_array_size(left_out) && i < LEFT_OUT_MAX; i++)
        (void)json_array_append(listed, json_array_get(left_out, i));
    json_put(media, "left_out", listed);
    if (json_array_size(left_out) > LEFT_OUT_MAX)
        json_put_int(media, "left_out_more",
                     (json_int_t)(json_array_size(left_out) - LEFT_OUT_MAX));
}

/* With where each stream of it comes from. */
static json_t *output_facts(const struct render *render, const struct reader *output)
{
    json_t *media = facts_media(output);
    json_t *streams = json_object_get(media, "streams");
    put_origin(json_array_get(streams, 0), render->reader.video->index, "encode");
    for (size_t i = 0; i < render->tracks.count; i++) {
        const struct track *track = &render->tracks.list[i];
        put_origin(json_array_get(streams, stream_of(&render->tracks, i, output->format)),
                   track->source, track_way_name(track->way));
    }
    json_put_text(media, "encoder", encoder_name(&render->recipe.settings));
    json_put_int(media, "frames_decoded", render->frames_decoded);
    json_put(media, "hardware", json_incref(render->hardware));
    put_left_out(media, render->tracks.left_out);
    return media;
}

static json_t *make_result(struct render *render, const struct reader *output, json_t *file)
{
    json_t *result = result_begin();
    json_t *checkpoints = json_object();
    time_span_apply(&render->in, &render->reader);
    render->reader.audio_packets = packet_index_packets(&render->index, render->reader.audio);
    if (render->reader.audio != NULL)
        render->reader.audio_samples = reader_proved(&render->reader, render->reader.audio->index);
    result_add_input(result, render->source);
    result_add_output(result, file);
    result_put_in(result, "media", "input", facts_media(&render->reader));
    result_put_in(result, "media", "output", output_facts(render, output));
    json_put_int(checkpoints, "reused", render->reused);
    json_put_int(checkpoints, "made", render->made);
    json_put_int(result, "frames_in", render->in.frames);
    json_put_int(result, "frames_out", render->frames_out);
    json_put_int(result, "duration_us", reader_duration_us(&render->reader));
    json_put(result, "metrics", json_object());
    json_put(result, "checkpoints", checkpoints);
    json_put(result, "warnings", json_incref(render->warnings));
    return result;
}

int render_publish(struct render *render, json_t **ret_result, struct error *err)
{
    CLEANUP(reader_close) struct reader output = {0};
    CLEANUP(source_done) struct source file = {0};
    CLEANUP(join_written_done) struct join_written written = {0};
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
        source_open(xstrdup(staged), "output", &file, err) < 0)
        return -1;
    json_put_text(file.facts, "path", render->target);
    first_frame_read(staged, &output);
    if (source_unchanged(render->source, err) < 0) /* its sound may have been read since */
        return -1;
    if (staging_commit(err) < 0)
        return -1;
    report_progress(1, render->in.frames);
    for (size_t i = 0; i < render->tracks.count; i++)
        render_warn_of_cues(render, &render->tracks.list[i], &written.losses[i]);
    render_warn_of_captions(render);
    render_warn_of_colour(render, &output.colour);
    journal_remove(render->journal);
    *ret_result = make_result(render, &output, file.facts);
    return 0;
}
