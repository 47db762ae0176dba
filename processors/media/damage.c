/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/damage.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/result.h"
#include "processors/lib/source.h"
#include "processors/media/facts.h"
#include "processors/media/reader.h"
#include "processors/media/reader_proof.h"
#include "processors/media/time_joint.h"

#include <string.h>

struct survey {
    struct reader reader; /* at its end */
    struct error lacking; /* ERROR_NONE: no packet is known to lie behind the file's end */
    int64_t expected;     /* frames; -1: the file does not tell */
    const char *expected_by;
};

/* ---- how many there should be ---- */

/* Of those that an edit list keeps. A fragmented file names the packets of each fragment. */
static int64_t count_index(const AVStream *stream)
{
    AVStream *is = (AVStream *)(uintptr_t)stream;
    const int count = avformat_index_get_entries_count(is);
    int64_t shown = 0;
    for (int i = 0; i < count; i++)
        shown += (avformat_index_get_entry(is, i)->flags & AVINDEX_DISCARD_FRAME) == 0;
    return shown;
}

/* AVI counts slots of its time base, of which those between two frames are empty where frames are
 * reordered; r_frame_rate is that of the frames found. */
static int64_t count_header(const struct reader *reader)
{
    const AVStream *is = reader->video;
    const AVRational rate = is->r_frame_rate;
    if (strcmp(reader->format->iformat->name, "avi") != 0 || rate.num <= 0 || rate.den <= 0)
        return is->nb_frames;
    return av_rescale_q(is->nb_frames, is->time_base, av_inv_q(rate));
}

/* Only where the header says it: else libavformat guesses by the bytes there are. */
static int64_t count_duration(const struct reader *reader)
{
    const AVRational rate = reader->video->avg_frame_rate;
    const AVFormatContext *format = reader->format;
    if (format->duration_estimation_method != AVFMT_DURATION_FROM_STREAM || format->duration <= 0 ||
        rate.num <= 0 || rate.den <= 0)
        return 0;
    return av_rescale_q(format->duration, AV_TIME_BASE_Q, av_inv_q(rate));
}

static void expect(struct survey *survey)
{
    const struct reader *reader = &survey->reader;
    static const char *const words[] = {"index", "header", "duration"};
    const bool indexed = strstr(reader->format->iformat->name, "mp4") != NULL;
    const int64_t counts[] = {indexed ? count_index(reader->video) : 0, count_header(reader),
                              count_duration(reader)};
    survey->expected = -1;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]) && survey->expected < 0; i++) {
        if (counts[i] <= 0)
            continue;
        survey->expected = counts[i];
        survey->expected_by = words[i];
    }
}

/* ---- the survey ---- */

/* All of it, but where packets are missing: the reading would end with the first one, be it of the
 * sound. A further track that no decoder takes is not counted. */
static int open_sound(struct reader *reader, bool lacks, struct error *err)
{
    struct error ignored = {0};
    if (lacks) {
        reader_tell_damage(reader);
        if (reader->audio != NULL)
            reader->format->streams[reader->audio->index]->discard = AVDISCARD_ALL;
        return 0;
    }
    (void)reader_prove_others(reader, &ignored);
    return reader->audio == NULL ? 0 : reader_decode_audio(reader, err);
}

/* Whether there is damage, and the file could be read at all. */
static bool run(struct survey *survey, const char *path, const char *label)
{
    struct reader *reader = &survey->reader;
    const struct reader_calls calls = {0};
    struct error ignored = {0};
    const int lacks = reader_open_damaged(path, label, reader, &survey->lacking);
    if (lacks < 0 || open_sound(reader, lacks > 0, &ignored) < 0)
        return false;
    reader->progress_to = 0;
    if ((reader_run(reader, &calls, &ignored) < 0 && !reader->damaged) ||
        (reader->damage.faults == 0 && !reader->damaged))
        return false;
    expect(survey);
    return true;
}

/* What only the index tells is behind all that was read. */
static void settle_first(struct reader *reader, const char *text)
{
    struct reader_damage *damage = &reader->damage;
    if (damage->faults > 0)
        return;
    damage->frames_before = reader->frames;
    damage->time_us = reader_duration_us(reader);
    damage->byte = -1;
    (void)snprintf(damage->what, sizeof(damage->what), "%s", text);
}

static void describe(const struct survey *survey, struct error *err)
{
    const struct reader *reader = &survey->reader;
    const struct reader_damage *damage = &reader->damage;
    char counts[120] = "";
    char flawed[40] = "";
    if (damage->frames_flawed > 0)
        (void)snprintf(flawed, sizeof(flawed), ", %lld of them in parts",
                       (long long)damage->frames_flawed);
    if (survey->expected > 0)
        (void)snprintf(counts, sizeof(counts), ", %lld of %lld frames decode%s",
                       (long long)reader->frames, (long long)survey->expected, flawed);
    if (damage->joint_us > 0)
        (void)error_set(
            err, ERROR_DAMAGED,
            "%s was put together of several recordings: after %lld frames (%.2f s) time "
            "begins anew, %.2f s back; %s",
            reader->label, (long long)damage->frames_before, (double)damage->time_us / AV_TIME_BASE,
            (double)damage->joint_us / AV_TIME_BASE, time_joint_help(reader->format));
    else if (survey->lacking.code != ERROR_NONE)
        (void)error_set(err, ERROR_DAMAGED, "%s%s", survey->lacking.text, counts);
    else
        (void)error_set(err, ERROR_DAMAGED,
                        "%s is damaged or cut off after %lld frames (%.2f s)%s: %s", reader->label,
                        (long long)damage->frames_before, (double)damage->time_us / 1e6, counts,
                        damage->what);
}

/* ---- the result ---- */

static json_t *count_or_null(int64_t count)
{
    return count < 0 ? json_null() : json_integer(count);
}

static json_t *facts_of(const struct survey *survey)
{
    const struct reader *reader = &survey->reader;
    const struct reader_damage *damage = &reader->damage;
    const int64_t lost = survey->expected - reader->frames;
    json_t *facts = json_object();
    json_t *first = json_object();
    json_put(facts, "frames_expected", count_or_null(survey->expected));
    json_put_text(facts, "expected_by", survey->expected_by);
    json_put_int(facts, "frames_decoded", reader->frames - damage->frames_flawed);
    json_put_int(facts, "frames_flawed", damage->frames_flawed);
    json_put(facts, "frames_lost",
             survey->expected < 0 ? json_null() : json_integer(lost > 0 ? lost : 0));
    json_put_int(facts, "packets_refused", damage->packets_refused);
    json_put_int(facts, "faults", damage->faults);
    json_put_int(first, "frames_before", damage->frames_before);
    json_put_int(first, "time_us", damage->time_us);
    json_put(first, "byte", count_or_null(damage->byte));
    json_put(first, "what", json_from_bytes(damage->what, strlen(damage->what)));
    json_put(facts, "first_fault", first);
    return facts;
}

static void survey_done(struct survey *survey)
{
    reader_close(&survey->reader);
}

bool damage_add(json_t *result, const char *path, const char *label, int64_t *ret_frames,
                int64_t *ret_duration_us, struct error *err)
{
    CLEANUP(survey_done) struct survey survey = {0};
    if (!run(&survey, path, label))
        return false;
    settle_first(&survey.reader,
                 survey.lacking.code != ERROR_NONE ? survey.lacking.text : "no frame that decodes");
    describe(&survey, err);
    if (json_object_get(result, "damage") == NULL)
        json_put(result, "damage", json_object());
    result_put_in(result, "media", label, facts_media(&survey.reader));
    result_put_in(result, "damage", label, facts_of(&survey));
    json_put(result, "partial", json_boolean(survey.reader.frames > 0));
    if (ret_frames != NULL)
        *ret_frames = survey.reader.frames;
    if (ret_duration_us != NULL)
        *ret_duration_us = reader_duration_us(&survey.reader);
    return true;
}

json_t *damage_result(const struct source *source, const char *label, struct error *err)
{
    int64_t frames = 0;
    int64_t duration_us = 0;
    CLEANUP_JSON json_t *result = result_begin();
    result_add_input(result, source);
    if (!damage_add(result, source->path, label, &frames, &duration_us, err))
        return NULL;
    json_put_int(result, "frames_in", frames);
    json_put_int(result, "duration_us", duration_us);
    return TAKE_PTR(result);
}
