/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/sound.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/lanes.h"
#include "processors/media/audio_track.h"
#include "processors/media/output.h"
#include "processors/media/packet_sum.h"
#include "processors/media/reader.h"
#include "processors/media/reader_proof.h"
#include "processors/media/unit_file.h"

struct sound {
    struct reader reader;
    struct output output;
    struct audio_track track;
    struct lane *lane;
};

static void sound_close(struct sound *sound)
{
    audio_track_close(&sound->track);
    output_close(&sound->output);
    reader_close(&sound->reader);
}

static int on_frame(void *arg, AVFrame *frame, struct error *err)
{
    struct sound *sound = arg;
    return lane_advance(sound->lane, 0, err) < 0 ? -1
                                                 : audio_track_frame(&sound->track, frame, err);
}

struct checked {
    struct lane *lane;
    const struct reader *reader;
    int64_t packets, trimmed;
};

static int on_checked(void *arg, AVPacket *packet, struct error *err)
{
    struct checked *checked = arg;
    const AVStream *stream = checked->reader->format->streams[0];
    checked->trimmed += packet_trimmed(stream->codecpar, checked->packets++ == 0, packet);
    return lane_advance(checked->lane, 0, err);
}

static int encode(struct sound *sound, const struct sound_recipe *recipe, const char *path,
                  struct error *err)
{
    const struct reader_calls calls = {.audio = on_frame, .arg = sound};
    struct reader *reader = &sound->reader;
    if (reader_open_sound(recipe->source, "input", recipe->stream, reader, err) < 0 ||
        output_open_unit(path, &sound->output, err) < 0 ||
        audio_track_encode(reader, &sound->output, recipe->container, &sound->track, err) < 0 ||
        output_start(&sound->output, 0, err) < 0)
        return -1;
    const AVRational second = {1, 1};
    reader->progress_to = reader->progress_from = 0;
    const AVRational base = reader->audio->time_base;
    sound->track.offset = av_sat_sub64(av_rescale_q(recipe->offset, recipe->offset_base, base),
                                       av_rescale_q(SOUND_LEAD_SECONDS, second, base));
    if (reader_run(reader, &calls, err) < 0 || audio_track_finish(&sound->track, err) < 0)
        return -1;
    if (sound->track.packets == 0) /* an edit list may leave nothing */
        return error_set(err, ERROR_DAMAGED,
                         "input has packets of sound in stream %d of which nothing is heard; "
                         "audio none or audio_tracks leaves it out",
                         recipe->stream);
    return output_finish(&sound->output, err);
}

/* Decodes what was written, and counts what it holds, with what is trimmed. What is found here is a
 * bug, or a disk or memory that lies. */
static int verify(const char *path, struct lane *lane, int64_t *ret_samples, struct error *err)
{
    CLEANUP(reader_close) struct reader reader = {0};
    struct checked checked = {.lane = lane, .reader = &reader};
    const struct reader_calls calls = {.packet = on_checked, .arg = &checked};
    int result = reader_open_bare(path, "it", &reader, err);
    reader.progress_to = reader.progress_from = 0;
    if (result == 0)
        result = reader_prove(&reader, 0, err);
    if (result == 0)
        result = reader_run(&reader, &calls, err);
    *ret_samples = checked.trimmed + reader_proved(&reader, 0);
    if (result == 0)
        return 0;
    err->code = err->code == ERROR_DAMAGED ? ERROR_INTERNAL : err->code;
    return error_wrap(err, "the check of the sound that was encoded");
}

int sound_make(const struct sound_recipe *recipe, const char *path, struct lane *lane,
               json_t **ret_facts, struct error *err)
{
    CLEANUP(sound_close) struct sound sound = {.lane = lane};
    int64_t samples = 0;
    if (encode(&sound, recipe, path, err) < 0 || verify(path, lane, &samples, err) < 0)
        return -1;
    if (unit_file_facts(path, ret_facts, err) < 0)
        return -1;
    json_put_int(*ret_facts, "packets", sound.track.packets);
    json_put_int(*ret_facts, "samples", samples);
    return 0;
}
