/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/render.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/journal.h"
#include "processors/lib/lanes.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"
#include "processors/media/chunk_check.h"
#include "processors/media/container.h"
#include "processors/media/damage.h"
#include "processors/media/first_frame.h"
#include "processors/media/hardware.h"
#include "processors/media/packet_time.h"
#include "processors/media/reader_proof.h"
#include "processors/media/sound.h"
#include "processors/media/time_gaps.h"
#include "processors/media/unit_file.h"

#include <libavutil/pixdesc.h>
#include <malloc.h>
#include <string.h>

/* Of the progress: decoding and encoding; the rest is the joining and its check. */
#define ENCODE_PART 0.97
/* Of a lane's memory: 50 pictures of 1.5 bytes a pixel, and as much again for those of the decoder
 * and the filters. */
#define LANE_BYTES_A_PIXEL 130U
#define LANE_BYTES (100U << 20)
/* What malloc keeps for itself otherwise, from the second time that it is freed. */
#define PICTURE_BYTES_LEAST (128 << 10)
/* Dolby Vision without a picture for others: IPT colours. */
#define DOLBY_PROFILE_ALONE 5
/* More tracks of sound at a time wait for a lane. */
#define SOUND_THREADS_MAX 8

/* ---- the input ---- */

int render_damaged(struct render *render, struct error *err)
{
    if (err->code == ERROR_DAMAGED && render->partial == NULL)
        render->partial = damage_result(render->source, "input", err);
    return -1;
}

/* The output starts at 0: what starts first, picture or sound, starts there. */
static int64_t offset_of(const struct render *render)
{
    const AVStream *video = render->reader.video;
    int64_t first = packet_time_is(video->start_time, video->time_base) ? video->start_time : 0;
    if (render->index.count > 0)
        first = render->index.times[0];
    for (size_t i = 0; i < render->tracks.count; i++) {
        const AVStream *audio = render->reader.format->streams[render->tracks.list[i].source];
        if (audio->codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
            packet_time_is(audio->start_time, audio->time_base) &&
            av_compare_ts(audio->start_time, audio->time_base, first, video->time_base) < 0)
            first = av_rescale_q(audio->start_time, audio->time_base, video->time_base);
    }
    return first;
}

static void begin_recipe(struct render *render)
{
    const AVStream *video = render->reader.video;
    render->colour = render->reader.colour;
    render->colour.range = AVCOL_RANGE_MPEG;
    if (render->colour.space == AVCOL_SPC_RGB)
        render->colour.space = AVCOL_SPC_UNSPECIFIED;
    render->recipe = (struct chunk_recipe){
        .source = render->source->path,
        .index = &render->index,
        .source_base = video->time_base,
        .source_rate = video->avg_frame_rate,
        .offset = offset_of(render),
        .decoder_threads = render->request->cpus,
        .settings = {.time_base = video->time_base,
                     .rate = av_guess_frame_rate(render->reader.format, render->reader.video, NULL),
                     .pixel_aspect = av_guess_sample_aspect_ratio(render->reader.format,
                                                                  render->reader.video, NULL),
                     .primaries = render->colour.primaries,
                     .transfer = render->colour.transfer,
                     .space = render->colour.space,
                     .chroma = video->codecpar->chroma_location,
                     .light = &render->colour}};
}

/* Its pictures are no YCbCr: taken for that they are green and purple. */
static int check_colours(const struct reader *reader, struct error *err)
{
    return reader->colour.has_dolby && reader->colour.dolby.dv_profile == DOLBY_PROFILE_ALONE
               ? error_set(
                     err, ERROR_DAMAGED,
                     "input is Dolby Vision of profile %d: its pictures have colours that only "
                     "Dolby's own decoders read",
                     DOLBY_PROFILE_ALONE)
               : 0;
}

/* Sound that is copied is decoded meanwhile, so that the output has none that is damaged. */
static int read_track(struct reader *reader, const struct track *track, struct error *err)
{
    const AVStream *stream = reader->format->streams[track->source];
    return track->way == TRACK_COPY && stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO
               ? reader_prove(reader, track->source, err)
               : reader_add(reader, track->source, err);
}

/* What is carried over is read with the picture, so that what is missing of it is known at once. */
static int choose_tracks(struct render *render, struct error *err)
{
    const struct tracks *tracks = &render->tracks;
    if (tracks_plan(render->request, &render->reader, render->container, &render->tracks, err) < 0)
        return -1;
    for (size_t i = 0; i < tracks->count; i++) {
        if (tracks_has_packets(&tracks->list[i]) &&
            read_track(&render->reader, &tracks->list[i], err) < 0)
            return -1;
    }
    return 0;
}

int render_open(const struct request *request, const struct source *source, struct render *ret,
                struct error *err)
{
    ret->request = request;
    ret->costs = CHUNK_COSTS_ENCODING;
    ret->source = source;
    ret->warnings = json_array();
    ret->target = request_path(request, "output");
    if (ret->target == NULL)
        return error_set_field(err, "params.output", "params.output is missing; it is required");
    ret->container = container_of(ret->target, err);
    if (ret->container == NULL || source_differs(source, ret->target, err) < 0)
        return -1;
    if (reader_open(source->path, "input", 1, &ret->reader, err) < 0 ||
        (strcmp(request_string(request, "audio", "copy"), "none") != 0 &&
         reader_check_sound(&ret->reader, err) < 0) ||
        choose_tracks(ret, err) < 0)
        return ret->reader.damaged ? render_damaged(ret, err) : -1;
    ret->reader.progress_to = 0;
    if (packet_index_read(&ret->reader, &ret->index, err) < 0)
        return ret->reader.damaged ? render_damaged(ret, err) : -1;
    tracks_drop_silent(&ret->tracks, &ret->reader, &ret->index);
    first_frame_read(source->path, &ret->reader);
    if (check_colours(&ret->reader, err) < 0)
        return -1;
    begin_recipe(ret);
    render_warn_of_tracks(ret);
    return 0;
}

void render_close(struct render *render)
{
    chunk_plan_done(&render->plan);
    tracks_done(&render->tracks);
    json_decref(render->warnings);
    packet_index_done(&render->index);
    journal_close(render->journal);
    reader_close(&render->reader);
    json_decref(render->hardware);
    json_decref(render->partial);
    free(render->units);
    free(render->target);
}

int render_choose_encoder(struct render *render, char *filters, size_t bytes, struct error *err)
{
    struct encoder_settings *settings = &render->recipe.settings;
    const enum AVPixelFormat planned = settings->format;
    const size_t used = strlen(filters);
    if (hardware_choose(request_string(render->request, "hardware", "never"), settings,
                        &render->hardware, err) < 0)
        return -1;
    if (settings->format != planned)
        (void)snprintf(filters + used, bytes - used, ",format=%s",
                       av_get_pix_fmt_name(settings->format));
    return 0;
}

/* ---- what is to be made ---- */

/* All that decides what a chunk is made of. */
static json_t *make_key(const struct render *render)
{
    json_t *key = json_object();
    json_t *source = json_deep_copy(render->source->facts);
    const struct timespec *changed = &render->source->checked.st_mtim;
    json_put_int(source, "changed_at", (json_int_t)changed->tv_sec * 1000000000 + changed->tv_nsec);
    json_put_text(key, "version", BATCHD_VERSION);
    json_put_text(key, "libraries", av_version_info());
    CLEANUP_FREE char *files = encoder_files();
    json_put_text(key, "encoder", encoder_name(&render->recipe.settings));
    json_put_text(key, "encoders", files);
    if (json_object_get(render->hardware, "card") != NULL)
        json_put(key, "card", json_incref(json_object_get(render->hardware, "card")));
    json_put(key, "source", source);
    json_put(key, "settings", json_deep_copy(render->request->params));
    return key;
}

static int set_plan(struct render *render, bool whole, struct error *err)
{
    const json_t *kept = journal_plan(render->journal);
    chunk_plan_done(&render->plan);
    if (!whole && kept != NULL && chunk_plan_from_json(kept, &render->plan) == 0)
        return 0;
    chunk_plan_done(&render->plan);
    if (whole)
        chunk_plan_whole(render->request->cpus, &render->plan);
    else
        chunk_plan_make(&render->index, render->request->cpus, &render->costs, &render->plan);
    CLEANUP_JSON json_t *plan = chunk_plan_to_json(&render->plan);
    return journal_begin(render->journal, plan, err);
}

/* Whether it is there, as an earlier run made it; so many frames of the input are in it. */
static bool is_there(struct render *render, unsigned unit, double *ret_frames)
{
    struct error ignored;
    CLEANUP_FREE char *path = journal_path(render->journal, unit, "nut");
    CLEANUP_JSON json_t *facts = journal_find(render->journal, unit);
    if (facts == NULL)
        return false;
    *ret_frames = (double)json_integer_value(json_object_get(facts, "frames_in"));
    if (unit_file_check(path, facts, &ignored) == 0)
        return true;
    report_log("chunk %u is not what was written; it is made anew", unit);
    journal_drop(render->journal, unit);
    return false;
}

/* Tracks of sound that are to be made still; they are the first of the units. */
static size_t sounds_of(const struct render *render)
{
    size_t count = 0;
    while (count < render->unit_count && render->units[count] >= render->plan.count)
        count++;
    return count;
}

/* Chunk k is unit k; tracks of sound that are encoded are those behind them, and begun first: they
 * cannot be cut. Returns the frames that are done. */
static double list_units(struct render *render)
{
    double done = 0;
    const unsigned chunks = render->plan.count;
    const unsigned all = chunks + tracks_encoded_count(&render->tracks);
    free(render->units);
    render->units = xcalloc(all + 1, sizeof(*render->units));
    render->unit_count = render->reused = 0;
    for (unsigned i = 0; i < all; i++) {
        double frames = 0;
        const unsigned unit = (chunks + i) % all;
        if (is_there(render, unit, &frames)) {
            done += frames;
            render->reused++;
        } else {
            render->units[render->unit_count++] = unit;
        }
    }
    const size_t sounds = sounds_of(render);
    chunk_plan_order(&render->plan, &render->index, render->request->cpus, render->units + sounds,
                     render->unit_count - sounds);
    return done;
}

/* ---- making it ---- */

static int make_file(const struct render *render, struct lane *lane, unsigned unit,
                     const char *path, json_t **ret_facts, struct error *err)
{
    const struct chunk_recipe *recipe = &render->recipe;
    if (unit < render->plan.count) {
        const struct chunk_range range = {render->plan.cuts[unit], render->plan.cuts[unit + 1]};
        return chunk_make(recipe, &range, path, lane, ret_facts, err);
    }
    const struct track *track = tracks_encoded(&render->tracks, unit - render->plan.count);
    const struct sound_recipe sound = {.source = recipe->source,
                                       .stream = track->source,
                                       .offset = recipe->offset,
                                       .offset_base = recipe->source_base,
                                       .container = render->container};
    return sound_make(&sound, path, lane, ret_facts, err);
}

static int make_unit(void *arg, struct lane *lane, unsigned unit, struct error *err)
{
    struct render *render = arg;
    CLEANUP_FREE char *part = journal_path(render->journal, unit, "nut.part");
    CLEANUP_FREE char *path = journal_path(render->journal, unit, "nut");
    CLEANUP_JSON json_t *facts = NULL;
    if (make_file(render, lane, unit, part, &facts, err) < 0)
        return -1;
    if (rename(part, path) < 0) {
        (void)error_set_errno(err, "\"%.200s\"", path);
        err->code = ERROR_IO;
        return -1;
    }
    /* What was read meanwhile is what the key names. */
    return source_unchanged(render->source, err) < 0
               ? -1
               : journal_add(render->journal, unit, facts, err);
}

/* Each lane has a decoder, filters and an encoder of its own: some 50 pictures with x264's longest
 * look ahead, and 100 MB. Their number changes no byte. */
static unsigned lanes_of(const struct render *render)
{
    const struct encoder_settings *settings = &render->recipe.settings;
    const unsigned cpus = settings->library != NULL && render->request->cpus > HARDWARE_LANES
                              ? HARDWARE_LANES
                              : render->request->cpus;
    const uint64_t lane =
        (uint64_t)settings->width * (uint64_t)settings->height * LANE_BYTES_A_PIXEL + LANE_BYTES;
    const uint64_t fit = render->request->memory_bytes / lane;
    if (render->request->memory_bytes == 0)
        return cpus;
    return fit < 1 ? 1 : fit < cpus ? (unsigned)fit : cpus;
}

/* Pictures go back to the system when they are freed, and what opening and reading the index left
 * goes now: of a transcode in 480p 4 MB of 145. */
static void settle_heap(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, PICTURE_BYTES_LEAST);
    (void)malloc_trim(0);
}

static int make_units(struct render *render, struct error *err)
{
    settle_heap();
    const double done = list_units(render);
    const struct lanes_work work = {.threads = lanes_of(render),
                                    .units = render->units,
                                    .count = render->unit_count,
                                    .long_count = FFMIN(sounds_of(render), SOUND_THREADS_MAX),
                                    .make = make_unit,
                                    .arg = render,
                                    .total = (double)render->index.packets,
                                    .done = done,
                                    .to = ENCODE_PART};
    render->recipe.settings.threads = render->plan.threads;
    render->recipe.verify_all = chunk_check_all(request_string(render->request, "verify", "auto"),
                                                &render->recipe.settings);
    return lanes_run(&work, err);
}

/* A file that cannot be read in parts is made as one. */
static int make_all(struct render *render, struct error *err)
{
    if (set_plan(render, false, err) < 0)
        return -1;
    int result = make_units(render, err);
    if (result < 0 && err->code == ERROR_CONFLICT && render->plan.count > 1) {
        report_log("it is made as a whole: %s", err->text);
        result = set_plan(render, true, err) < 0 ? -1 : make_units(render, err);
    }
    render->made = journal_added(render->journal);
    return result;
}

/* What is done is worth keeping where another try may end better. */
static void drop_if_hopeless(struct render *render, const struct error *err)
{
    if (render->made + render->reused == 0 || err->code == ERROR_DAMAGED ||
        err->code == ERROR_INVALID || err->code == ERROR_LIMIT || err->code == ERROR_INTERNAL)
        journal_remove(render->journal);
}

int render_run(struct render *render, json_t **ret_result, struct error *err)
{
    CLEANUP_JSON json_t *key = make_key(render);
    render_warn_of_format(render);
    /* The journal's lock comes first: another run's staging file is not ours to remove. */
    if (journal_open(render->request, render->target, key, &render->journal, err) < 0)
        return -1;
    render->staged = staging_open(render->target, err);
    if (render->staged == NULL) {
        if (journal_plan(render->journal) == NULL)
            journal_remove(render->journal);
        return -1;
    }
    int result = time_gaps_check(&render->index, render->recipe.source_base, !render->one_to_one,
                                 render->container, err);
    if (result == 0)
        result = make_all(render, err);
    if (result == 0)
        result = source_unchanged(render->source, err) < 0
                     ? -1
                     : render_publish(render, ret_result, err);
    if (result == 0)
        return 0;
    (void)source_explain(render->source, err);
    drop_if_hopeless(render, err);
    return render_damaged(render, err);
}
