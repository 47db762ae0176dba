/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/chunk.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/lanes.h"
#include "processors/media/chunk_check.h"
#include "processors/media/media_log.h"
#include "processors/media/output.h"
#include "processors/media/packet_index.h"
#include "processors/media/picture_graph.h"
#include "processors/media/preview_picture.h"
#include "processors/media/reader.h"
#include "processors/media/time_span.h"
#include "processors/media/unit_file.h"

#include <stdbool.h>

struct chunk {
    const struct chunk_recipe *recipe;
    struct chunk_range range;
    struct lane *lane;
    struct reader reader;
    struct picture_graph graph;
    void *stage;               /* the recipe's; owned */
    struct picture_graph last; /* behind it */
    struct output output;
    AVStream *stream; /* borrowed from output */
    AVCodecContext *encoder;
    AVPacket *packet;
    int64_t *times; /* of the frames that were encoded, in the encoder's time base; owned */
    size_t count, room;
    size_t decoded;      /* of them, for the check */
    struct time_span in; /* of the frames within the range */
    json_t *stage_facts; /* what the stage noted; owned; NULL: nothing */
    bool captions;       /* closed captions lie within the pictures */
    int64_t offset;      /* the recipe's, or what the first frame asks for */
};

/* What makes it holds some 30 MB of pictures, which the check has no use for. */
static void release_makers(struct chunk *chunk)
{
    picture_graph_close(&chunk->graph);
    picture_graph_close(&chunk->last);
    if (chunk->stage != NULL)
        chunk->recipe->stage->close(TAKE_PTR(chunk->stage));
    avcodec_free_context(&chunk->encoder);
    output_close(&chunk->output);
    av_packet_free(&chunk->packet);
    reader_close(&chunk->reader);
}

static void chunk_close(struct chunk *chunk)
{
    release_makers(chunk);
    json_decref(chunk->stage_facts);
    free(chunk->times);
}

/* ---- encoding ---- */

static int encode(struct chunk *chunk, const AVFrame *frame, struct error *err)
{
    int rc = encoder_send(chunk->encoder, frame);
    while (rc >= 0) {
        rc = avcodec_receive_packet(chunk->encoder, chunk->packet);
        if (rc < 0)
            break;
        if (output_write(&chunk->output, chunk->stream, chunk->packet, chunk->encoder->time_base,
                         err) < 0)
            return -1;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF
               ? 0
               : media_error(err, ERROR_INTERNAL, rc, "the encoder fails at frame %zu",
                             chunk->count);
}

static void note_time(struct chunk *chunk, int64_t time)
{
    if (chunk->count == chunk->room) {
        chunk->room = chunk->room == 0 ? 512 : 2 * chunk->room;
        chunk->times = xreallocarray(chunk->times, chunk->room, sizeof(*chunk->times));
    }
    chunk->times[chunk->count++] = time;
}

static bool is_before(int64_t time, AVRational base, int64_t bound, const struct chunk *chunk)
{
    if (bound == INT64_MIN || bound == INT64_MAX)
        return bound == INT64_MAX;
    return av_compare_ts(time, base, av_sat_sub64(bound, chunk->offset),
                         chunk->recipe->source_base) < 0;
}

/* What filters and stage were shown on both sides of the chunk belongs to its neighbours. */
static bool is_own(void *arg, int64_t time, AVRational time_base)
{
    const struct chunk *chunk = arg;
    return !is_before(time, time_base, chunk->range.from, chunk) &&
           is_before(time, time_base, chunk->range.to, chunk);
}

static int on_finished(void *arg, AVFrame *frame, AVRational time_base, struct error *err)
{
    struct chunk *chunk = arg;
    if (!is_own(chunk, frame->pts, time_base))
        return 0;
    if (lane_advance(chunk->lane, 0, err) < 0) /* of one frame that was read there may be many */
        return -1;
    frame->pts = av_rescale_q(frame->pts, time_base, chunk->encoder->time_base);
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    note_time(chunk, frame->pts);
    chunk->captions |= av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC) != NULL;
    preview_picture(frame, chunk->recipe->settings.light);
    return encode(chunk, frame, err);
}

static int on_staged(void *arg, AVFrame *frame, AVRational time_base, struct error *err)
{
    struct chunk *chunk = arg;
    (void)time_base; /* the encoder's */
    return picture_graph_push(&chunk->last, frame, err);
}

static int on_filtered(void *arg, AVFrame *frame, AVRational time_base, struct error *err)
{
    struct chunk *chunk = arg;
    return chunk->stage == NULL ? on_finished(chunk, frame, time_base, err)
                                : chunk->recipe->stage->push(chunk->stage, frame, time_base, err);
}

static int on_frame(void *arg, AVFrame *frame, struct error *err)
{
    struct chunk *chunk = arg;
    if (frame->pts >= chunk->range.from && frame->pts < chunk->range.to) {
        time_span_add(&chunk->in, frame->pts);
        if (lane_advance(chunk->lane, 1, err) < 0)
            return -1;
    }
    if (chunk->recipe->index->timed)
        frame->pkt_duration = packet_index_duration(chunk->recipe->index, frame->pts);
    if (chunk->in.frames == 1 && frame->pts < chunk->offset)
        chunk->offset = frame->pts; /* not known before: the file has packets without a time */
    frame->pts = av_sat_sub64(frame->pts, chunk->offset);
    return picture_graph_push(&chunk->graph, frame, err);
}

static int open_output(struct chunk *chunk, const char *path, struct error *err)
{
    if (encoder_open(&chunk->recipe->settings, &chunk->encoder, err) < 0)
        return -1;
    if (output_open_unit(path, &chunk->output, err) < 0)
        return -1;
    chunk->packet = av_packet_alloc();
    if (chunk->packet == NULL)
        out_of_memory();
    chunk->stream = output_add(&chunk->output, chunk->encoder->time_base);
    int rc = avcodec_parameters_from_context(chunk->stream->codecpar, chunk->encoder);
    return rc < 0 ? media_error(err, ERROR_BUSY, rc, "the encoder")
                  : output_start(&chunk->output, 0, err);
}

/* ---- reading ---- */

/* So many frames before or behind a time. */
static int64_t rolled(const struct packet_index *index, int64_t time, int frames)
{
    const int64_t at = (int64_t)packet_index_before(index, time) + frames;
    return at < 0 ? INT64_MIN : at >= (int64_t)index->count ? INT64_MAX : index->times[at];
}

static int64_t rolled_out(const struct chunk_recipe *recipe, int64_t to)
{
    const int64_t frames = rolled(recipe->index, to, (int)recipe->roll_out);
    const int64_t time = to > INT64_MAX - recipe->roll_time ? INT64_MAX : to + recipe->roll_time;
    return frames > time ? frames : time;
}

/* Frames that the index promises and that did not come: a decoder that was led to the wrong place
 * leaves them out silently. */
static bool lacks_frames(const struct chunk *chunk)
{
    const struct packet_index *index = chunk->recipe->index;
    const size_t wanted =
        packet_index_before(index, chunk->range.to) - packet_index_before(index, chunk->range.from);
    return index->each_shows && (size_t)chunk->in.frames < wanted;
}

static int read_part(struct chunk *chunk, int64_t key, struct error *err)
{
    const struct chunk_recipe *recipe = chunk->recipe;
    const struct reader_calls calls = {.video = on_frame, .arg = chunk};
    const struct reader_range range = {
        .key = key,
        .seek = packet_index_seek(recipe->index, key),
        .from = rolled(recipe->index, chunk->range.from, -(int)recipe->roll_in),
        .to = rolled_out(recipe, chunk->range.to)};
    return reader_open(recipe->source, "input", 1, &chunk->reader, err) < 0 ||
                   reader_run_range(&chunk->reader, &range, &calls, err) < 0
               ? -1
               : 0;
}

static int read_whole(struct chunk *chunk, struct error *err)
{
    const struct reader_calls calls = {.video = on_frame, .arg = chunk};
    if (reader_open(chunk->recipe->source, "input", chunk->recipe->decoder_threads, &chunk->reader,
                    err) < 0)
        return -1;
    chunk->reader.progress_to = chunk->reader.progress_from = 0;
    return reader_run(&chunk->reader, &calls, err);
}

static void open_stage(struct chunk *chunk)
{
    const struct chunk_recipe *recipe = chunk->recipe;
    const struct frame_sink sink = {.wants = is_own, .take = on_staged, .arg = chunk};
    chunk->last = (struct picture_graph){.filters = recipe->last_filters,
                                         .time_base = recipe->settings.time_base,
                                         .rate = recipe->settings.rate,
                                         .threads = recipe->settings.threads,
                                         .take = on_finished,
                                         .arg = chunk};
    chunk->stage = recipe->stage->open(recipe->stage_plan, &sink);
}

static int begin(struct chunk *chunk, const char *path, struct error *err)
{
    chunk->offset = chunk->recipe->offset;
    chunk->graph = (struct picture_graph){.filters = chunk->recipe->filters,
                                          .time_base = chunk->recipe->source_base,
                                          .rate = chunk->recipe->source_rate,
                                          .threads = chunk->recipe->settings.threads,
                                          .take = on_filtered,
                                          .arg = chunk};
    if (chunk->recipe->stage != NULL)
        open_stage(chunk);
    return open_output(chunk, path, err);
}

static int end_stage(struct chunk *chunk, struct error *err)
{
    if (chunk->stage == NULL)
        return 0;
    chunk->stage_facts = json_object();
    return chunk->recipe->stage->finish(chunk->stage, chunk->stage_facts, err) < 0
               ? -1
               : picture_graph_finish(&chunk->last, err);
}

static int end(struct chunk *chunk, struct error *err)
{
    if (picture_graph_finish(&chunk->graph, err) < 0 || end_stage(chunk, err) < 0 ||
        (chunk->count > 0 && encode(chunk, NULL, err) < 0))
        return -1;
    return output_finish(&chunk->output, err);
}

static int make_part(struct chunk *chunk, const char *path, int64_t key, bool *ret_lacks,
                     struct error *err)
{
    if (begin(chunk, path, err) < 0 || read_part(chunk, key, err) < 0)
        return -1;
    *ret_lacks = key != AV_NOPTS_VALUE && lacks_frames(chunk);
    return end(chunk, err);
}

/* ---- the check, and what is noted ---- */

static int check(struct chunk *chunk, const char *path, struct error *err)
{
    release_makers(chunk);
    const struct chunk_written written = {.path = path,
                                          .times = chunk->times,
                                          .count = chunk->count,
                                          .settings = &chunk->recipe->settings};
    return chunk->count == 0 ? 0
                             : chunk_check(&written, chunk->recipe->verify_all, chunk->lane,
                                           &chunk->decoded, err);
}

static int64_t last_duration(const struct chunk *chunk)
{
    if (chunk->in.frames == 0)
        return 0;
    return chunk->range.from == INT64_MIN && chunk->range.to == INT64_MAX
               ? chunk->reader.end_pts - chunk->reader.last_pts
               : packet_index_duration(chunk->recipe->index, chunk->reader.last_pts);
}

static int finish_file(const struct chunk *chunk, const char *path, json_t **ret_facts,
                       struct error *err)
{
    const struct time_span *in = &chunk->in;
    if (unit_file_facts(path, ret_facts, err) < 0)
        return -1;
    json_put_int(*ret_facts, "frames", (json_int_t)chunk->count);
    json_put_int(*ret_facts, "frames_decoded", (json_int_t)chunk->decoded);
    json_put_int(*ret_facts, "frames_in", in->frames);
    json_put_int(*ret_facts, "first", in->first);
    json_put_int(*ret_facts, "last", in->last);
    json_put_int(*ret_facts, "step_min", in->step_min);
    json_put_int(*ret_facts, "step_max", in->step_max);
    json_put_int(*ret_facts, "last_duration", last_duration(chunk));
    json_put_int(*ret_facts, "times_repaired", chunk->reader.times_repaired);
    json_put(*ret_facts, "captions", json_boolean(chunk->captions));
    if (chunk->stage_facts != NULL && json_object_update(*ret_facts, chunk->stage_facts) < 0)
        out_of_memory();
    return 0;
}

/* ---- one chunk ---- */

/* What chunk_make was asked for. */
struct task {
    const struct chunk_recipe *recipe;
    const struct chunk_range *range;
    const char *path;
    struct lane *lane;
};

static int make_whole(const struct task *task, json_t **ret_facts, struct error *err)
{
    CLEANUP(chunk_close)
    struct chunk chunk = {
        .recipe = task->recipe, .range = {.from = INT64_MIN, .to = INT64_MAX}, .lane = task->lane};
    if (begin(&chunk, task->path, err) < 0 || read_whole(&chunk, err) < 0 || end(&chunk, err) < 0 ||
        check(&chunk, task->path, err) < 0)
        return -1;
    return finish_file(&chunk, task->path, ret_facts, err);
}

/* The key packet `back` before the nearest; AV_NOPTS_VALUE: the beginning of the file. */
static int64_t key_of(const struct task *task, size_t back)
{
    const struct packet_index *index = task->recipe->index;
    const int64_t from = rolled(index, task->range->from, -(int)task->recipe->roll_in);
    return from == INT64_MIN ? AV_NOPTS_VALUE : packet_index_key(index, from, back);
}

/* Whether it may end better from an earlier key packet. What is damaged behind a further key packet
 * does not: all that it refers to was there. */
static bool is_worth_more(const struct chunk *chunk, int64_t key, const struct error *err)
{
    return key != AV_NOPTS_VALUE && (err->code == ERROR_CONFLICT ||
                                     (err->code == ERROR_DAMAGED && chunk->reader.range_keys <= 1));
}

/* 1: it is to be tried from an earlier key packet. */
static int try_part(const struct task *task, int64_t key, json_t **ret_facts, struct error *err)
{
    bool lacks = false;
    struct error ignored;
    CLEANUP(chunk_close)
    struct chunk chunk = {.recipe = task->recipe, .range = *task->range, .lane = task->lane};
    int result = make_part(&chunk, task->path, key, &lacks, err);
    if ((result < 0 && is_worth_more(&chunk, key, err)) || lacks) {
        (void)lane_advance(task->lane, -(double)chunk.in.frames, &ignored);
        return 1;
    }
    if (result < 0 || check(&chunk, task->path, err) < 0)
        return -1;
    return finish_file(&chunk, task->path, ret_facts, err);
}

int chunk_make(const struct chunk_recipe *recipe, const struct chunk_range *range, const char *path,
               struct lane *lane, json_t **ret_facts, struct error *err)
{
    static const size_t backs[] = {0, 1, SIZE_MAX / 2};
    const struct task task = {recipe, range, path, lane};
    if (range->from == INT64_MIN && range->to == INT64_MAX)
        return make_whole(&task, ret_facts, err);
    int64_t key = key_of(&task, backs[0]);
    int result = try_part(&task, key, ret_facts, err);
    for (size_t i = 1; i < sizeof(backs) / sizeof(backs[0]) && result == 1; i++) {
        const int64_t earlier = key_of(&task, backs[i]);
        if (earlier == key)
            continue;
        key = earlier;
        result = try_part(&task, key, ret_facts, err);
    }
    return result;
}
