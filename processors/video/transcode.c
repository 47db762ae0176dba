/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/transcode.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/request.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"
#include "processors/media/audio_track.h"
#include "processors/media/facts.h"
#include "processors/media/output.h"
#include "processors/media/reader.h"
#include "processors/video/video_track.h"

/* Of the progress: decoding and encoding; the rest is the check of what was written. */
#define ENCODE_PART 0.9

struct work {
    char *target;       /* owned */
    const char *staged; /* borrowed from staging.h */
    struct reader reader;
    struct output output;
    struct video_track video;
    struct audio_track audio;
};

static void work_done(struct work *work)
{
    audio_track_close(&work->audio);
    video_track_close(&work->video);
    output_close(&work->output);
    reader_close(&work->reader);
    free(work->target);
}

/* ---- reading and writing ---- */

static int on_video(void *arg, AVFrame *frame, struct error *err)
{
    struct work *work = arg;
    return video_track_frame(&work->video, frame, err);
}

static int on_audio(void *arg, AVFrame *frame, struct error *err)
{
    struct work *work = arg;
    return audio_track_frame(&work->audio, frame, err);
}

static int on_audio_packet(void *arg, AVPacket *packet, struct error *err)
{
    struct work *work = arg;
    return work->audio.stream == NULL ? 0 : audio_track_packet(&work->audio, packet, err);
}

/* The output starts at 0: what starts first, picture or sound, starts there. */
static void set_offsets(struct work *work)
{
    const AVStream *video = work->reader.video;
    const AVStream *audio = work->audio.stream == NULL ? NULL : work->reader.audio;
    const AVStream *first = video;
    if (audio != NULL && audio->start_time != AV_NOPTS_VALUE &&
        (video->start_time == AV_NOPTS_VALUE ||
         av_compare_ts(audio->start_time, audio->time_base, video->start_time, video->time_base) <
             0))
        first = audio;
    if (first->start_time == AV_NOPTS_VALUE)
        return;
    work->video.offset = av_rescale_q(first->start_time, first->time_base, video->time_base);
    if (audio != NULL)
        work->audio.offset = av_rescale_q(first->start_time, first->time_base, audio->time_base);
}

static int convert(struct work *work, const struct request *request, const struct source *source,
                   struct error *err)
{
    const struct reader_calls calls = {
        .video = on_video, .audio = on_audio, .audio_packet = on_audio_packet, .arg = work};
    if (reader_open(source->path, "input", request->cpus, &work->reader, err) < 0 ||
        output_open(work->staged, &work->output, err) < 0 ||
        video_track_open(request, &work->reader, &work->output, &work->video, err) < 0 ||
        audio_track_open(request_string(request, "audio", "copy"), &work->reader, &work->output,
                         &work->audio, err) < 0 ||
        output_start(&work->output, work->reader.video->time_base.den, err) < 0)
        return -1;
    work->reader.progress_to = ENCODE_PART;
    set_offsets(work);
    if (reader_run(&work->reader, &calls, err) < 0 || video_track_finish(&work->video, err) < 0 ||
        audio_track_finish(&work->audio, err) < 0 || source_unchanged(source, err) < 0)
        return -1;
    return output_finish(&work->output, err);
}

/* ---- the check of what was written ---- */

struct check {
    const struct video_track *wanted;
    const struct reader *reader;
};

static int on_checked(void *arg, AVFrame *frame, struct error *err)
{
    const struct check *check = arg;
    const struct video_track *wanted = check->wanted;
    const size_t number = (size_t)check->reader->frames - 1;
    if (number >= wanted->count)
        return error_set(err, ERROR_INTERNAL, "the output has more frames than the input's %zu",
                         wanted->count);
    if (av_compare_ts(frame->pts, check->reader->video->time_base, wanted->times[number].pts,
                      wanted->encoder->time_base) != 0)
        return error_set(err, ERROR_INTERNAL,
                         "frame %zu of the output is at %lld x %d/%d s instead of %lld x %d/%d s",
                         number + 1, (long long)frame->pts, check->reader->video->time_base.num,
                         check->reader->video->time_base.den, (long long)wanted->times[number].pts,
                         wanted->encoder->time_base.num, wanted->encoder->time_base.den);
    return 0;
}

static int check_counts(const struct work *work, const struct reader *output, struct error *err)
{
    if (output->frames != work->reader.frames)
        return error_set(err, ERROR_INTERNAL, "the output has %lld frames, the input %lld",
                         (long long)output->frames, (long long)work->reader.frames);
    if ((work->audio.stream != NULL) != (output->audio != NULL) ||
        output->audio_packets != work->audio.packets)
        return error_set(err, ERROR_INTERNAL,
                         "the output has %lld packets of sound instead of %lld",
                         (long long)output->audio_packets, (long long)work->audio.packets);
    return 0;
}

/* Decodes the written file. What is found here is a bug, or a disk or memory that lies. */
static int verify(const struct work *work, unsigned threads, struct reader *output,
                  struct error *err)
{
    struct check check = {.wanted = &work->video, .reader = output};
    const struct reader_calls calls = {.video = on_checked, .arg = &check};
    int result = reader_open(work->staged, "output", threads, output, err);
    output->progress_from = ENCODE_PART;
    if (result == 0 && output->audio != NULL)
        result = reader_decode_audio(output, err);
    if (result == 0)
        result = reader_run(output, &calls, err);
    if (result == 0)
        return check_counts(work, output, err);
    err->code = err->code == ERROR_DAMAGED ? ERROR_INTERNAL : err->code;
    return error_wrap(err, "the check of the output");
}

/* ---- the job ---- */

static json_t *make_result(const struct work *work, const struct reader *output,
                           const struct source *source, const json_t *output_facts)
{
    json_t *result = json_object();
    json_t *inputs = json_array();
    json_t *outputs = json_array();
    json_t *media = json_object();
    (void)json_array_append(inputs, source->facts);
    (void)json_array_append(outputs, (json_t *)(uintptr_t)output_facts);
    json_put(media, "input", facts_media(&work->reader));
    json_put(media, "output", facts_media(output));
    json_put(result, "inputs", inputs);
    json_put(result, "outputs", outputs);
    json_put_int(result, "frames_in", work->reader.frames);
    json_put_int(result, "frames_out", output->frames);
    json_put_int(result, "duration_us", reader_duration_us(&work->reader));
    json_put(result, "media", media);
    json_put(result, "metrics", json_object());
    return result;
}

static int publish(struct work *work, const struct request *request, const struct source *source,
                   json_t **ret_result, struct error *err)
{
    CLEANUP(reader_close) struct reader output = {0};
    CLEANUP(source_done) struct source written = {0};
    if (verify(work, request->cpus, &output, err) < 0 ||
        source_open(xstrdup(work->staged), "output", &facts_digest, &written, err) < 0)
        return -1;
    json_put_text(written.facts, "path", work->target);
    if (staging_commit(err) < 0)
        return -1;
    *ret_result = make_result(work, &output, source, written.facts);
    return 0;
}

int transcode(const struct request *request, const struct source *source, json_t **ret_result,
              struct error *err)
{
    CLEANUP(work_done) struct work work = {.target = request_path(request, "output")};
    if (work.target == NULL)
        return error_set_field(err, "params.output",
                               "params.output is missing; transcode needs it");
    if (source_differs(source, work.target, err) < 0)
        return -1;
    work.staged = staging_open(request, work.target, err);
    if (work.staged == NULL || convert(&work, request, source, err) < 0)
        return -1;
    return publish(&work, request, source, ret_result, err);
}
