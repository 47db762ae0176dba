/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/thumbnail.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/result.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"
#include "processors/media/media_log.h"
#include "processors/media/packet_index.h"
#include "processors/media/picture_graph.h"
#include "processors/media/reader.h"
#include "processors/media/still_encoder.h"
#include "processors/media/tone_map.h"
#include "processors/video/geometry.h"

#include <fcntl.h>
#include <libavutil/pixdesc.h>
#include <string.h>
#include <strings.h>

/* Where nothing is asked for: behind the first titles, of which most are black. */
#define DEFAULT_PART 0.1
#define JPEG_QUALITY 3 /* of libavcodec's 2 (best) to 31 */

struct shot {
    const struct request *request;
    const struct source *source;
    char *target;       /* owned */
    const char *staged; /* borrowed from staging.h */
    struct reader reader;
    struct packet_index index;
    struct geometry geometry;
    bool mapped;      /* from HDR to the light of stills */
    AVFrame *picture; /* what was decoded, then what is made of it; its pts is the input's */
    int64_t wanted;   /* time stamp of the frame */
    int64_t taken;    /* of the one that was taken */
};

static void shot_close(struct shot *shot)
{
    av_frame_free(&shot->picture);
    packet_index_done(&shot->index);
    reader_close(&shot->reader);
    free(shot->target);
}

/* ---- what is asked for ---- */

static int take_target(struct shot *shot, bool *ret_png, struct error *err)
{
    shot->target = request_path(shot->request, "output");
    if (shot->target == NULL)
        return error_set_field(err, "params.output",
                               "params.output is missing; thumbnail needs it");
    const char *dot = strrchr(shot->target, '.');
    *ret_png = dot != NULL && strcasecmp(dot, ".png") == 0;
    if (*ret_png ||
        (dot != NULL && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0)))
        return source_differs(shot->source, shot->target, err);
    return error_set_field(err, "params.output",
                           "params.output is \"%.200s\"; a thumbnail's must end in .jpg, .jpeg or "
                           ".png",
                           shot->target);
}

/* The last frame at or before the time that is asked for. */
static int choose(struct shot *shot, struct error *err)
{
    const struct packet_index *index = &shot->index;
    const AVRational base = shot->reader.video->time_base;
    if (!index->timed)
        return error_set(err, ERROR_DAMAGED, "input has frames without a time; none can be chosen");
    const int64_t first = index->times[0];
    const int64_t last = index->times[index->count - 1];
    const double at = request_number(shot->request, "at", -1);
    int64_t time = first + (int64_t)((double)(last - first) * DEFAULT_PART);
    if (at >= 0)
        time = first + (int64_t)(at / av_q2d(base));
    if (time > last + packet_index_duration(index, last))
        return error_set_field(err, "params.at", "params.at is %g; the video has %.2f s", at,
                               (double)(last - first) * av_q2d(base));
    shot->wanted = index->times[packet_index_before(index, time + 1) - 1];
    return 0;
}

/* ---- the picture ---- */

static int on_frame(void *arg, AVFrame *frame, struct error *err)
{
    struct shot *shot = arg;
    (void)err;
    if (shot->picture != NULL)
        return 0;
    shot->taken = frame->pts;
    shot->picture = av_frame_clone(frame);
    if (shot->picture == NULL)
        out_of_memory();
    return 0;
}

static int read_from(struct shot *shot, int64_t key, struct error *err)
{
    CLEANUP(reader_close) struct reader reader = {0};
    const struct reader_calls calls = {.video = on_frame, .arg = shot};
    const struct reader_range range = {.key = key,
                                       .seek = packet_index_seek(&shot->index, key),
                                       .from = shot->wanted,
                                       .to = shot->wanted + 1};
    return reader_open(shot->source->path, "input", 1, &reader, err) < 0
               ? -1
               : reader_run_range(&reader, &range, &calls, err);
}

/* What does not let itself be read from its key frames on is read from the start. */
static int find_picture(struct shot *shot, struct error *err)
{
    const int64_t key = packet_index_key(&shot->index, shot->wanted, 0);
    int result = read_from(shot, key, err);
    if (result < 0 && err->code == ERROR_CONFLICT && key != AV_NOPTS_VALUE)
        result = read_from(shot, AV_NOPTS_VALUE, err);
    if (result < 0 && err->code == ERROR_CONFLICT)
        err->code = ERROR_DAMAGED;
    return result;
}

static int on_filtered(void *arg, AVFrame *frame, AVRational time_base, struct error *err)
{
    AVFrame **made = arg;
    (void)time_base;
    (void)err;
    if (*made == NULL && (*made = av_frame_clone(frame)) == NULL)
        out_of_memory();
    return 0;
}

/* Takes the place of the one before. */
static int filter(struct shot *shot, const char *filters, struct error *err)
{
    AVFrame *made = NULL;
    struct picture_graph graph = {.filters = filters,
                                  .time_base = shot->reader.video->time_base,
                                  .threads = 1,
                                  .take = on_filtered,
                                  .arg = &made};
    int result = picture_graph_push(&graph, shot->picture, err);
    if (result == 0)
        result = picture_graph_finish(&graph, err);
    picture_graph_close(&graph);
    if (result == 0 && made == NULL)
        result = error_set(err, ERROR_INTERNAL, "no picture comes of \"%s\"", filters);
    av_frame_free(&shot->picture);
    shot->picture = made;
    return result;
}

/* Of the still's size before its light is mapped: of its few pixels. */
static int map(struct shot *shot, struct error *err)
{
    const struct geometry *geometry = &shot->geometry;
    char filters[300];
    AVFrame *mapped = NULL;
    (void)snprintf(filters, sizeof(filters), "%s%sscale=%d:%d:flags=bicubic:out_range=tv,format=%s",
                   geometry->turn, geometry->crop, geometry->width, geometry->height,
                   av_get_pix_fmt_name(TONE_MAP_FORMAT));
    if (filter(shot, filters, err) < 0 ||
        tone_map_picture(shot->picture, &shot->reader.colour, &mapped, err) < 0)
        return -1;
    av_frame_free(&shot->picture);
    shot->picture = mapped;
    return filter(shot, geometry->scale, err);
}

/* The decoder is gone by then, with its pictures. */
static int decode(struct shot *shot, enum AVPixelFormat format, struct error *err)
{
    const struct geometry *geometry = &shot->geometry;
    char filters[400];
    shot->mapped = tone_map_can(&shot->reader.colour);
    if (geometry_plan(shot->request, &shot->reader, format, &shot->geometry, err) < 0 ||
        find_picture(shot, err) < 0)
        return -1;
    if (shot->picture == NULL)
        return error_set(err, ERROR_DAMAGED, "input has no frame that decodes at that time");
    (void)snprintf(filters, sizeof(filters), "%s%s%s", geometry->turn, geometry->crop,
                   geometry->scale);
    return shot->mapped ? map(shot, err) : filter(shot, filters, err);
}

static int write_packet(const struct shot *shot, const AVPacket *packet, struct error *err)
{
    CLEANUP_CLOSE int fd = open(shot->staged, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd >= 0 && fd_write_all(fd, packet->data, (size_t)packet->size) == 0)
        return 0;
    (void)error_set_errno(err, "output \"%.200s\" cannot be written", shot->target);
    err->code = ERROR_IO;
    return -1;
}

static int write_picture(const struct shot *shot, bool png, struct error *err)
{
    AVPacket *packet = av_packet_alloc();
    if (packet == NULL)
        out_of_memory();
    int rc = still_encode(png ? AV_CODEC_ID_PNG : AV_CODEC_ID_MJPEG, JPEG_QUALITY, shot->picture,
                          packet);
    int result = rc < 0 ? media_error(err, ERROR_INTERNAL, rc, "the picture cannot be encoded")
                        : write_packet(shot, packet, err);
    av_packet_free(&packet);
    return result;
}

/* ---- the job ---- */

/* What becomes of light that a still has not. */
static json_t *warnings_of(const struct shot *shot)
{
    json_t *warnings = json_array();
    const struct colour *colour = &shot->reader.colour;
    if (!colour_is_hdr(colour))
        return warnings;
    CLEANUP_FREE char *text =
        xasprintf("the film is HDR (%s), the still is not: it %s", colour_hdr(colour),
                  shot->mapped ? "shows what is brighter than white as white" : "looks pale");
    report_log("%s", text);
    (void)json_array_append_new(warnings, json_string(text));
    return warnings;
}

static json_t *make_result(const struct shot *shot, json_t *output_facts)
{
    json_t *result = result_begin();
    json_t *media = json_object_get(result, "media");
    result_add_input(result, shot->source);
    result_add_output(result, output_facts);
    json_put_int(result, "frames_out", 1);
    json_put(result, "metrics", json_object());
    json_put_text(media, "format", shot->picture->format == AV_PIX_FMT_RGB24 ? "png" : "jpeg");
    json_put_int(media, "width", shot->picture->width);
    json_put_int(media, "height", shot->picture->height);
    json_put_int(media, "at_us",
                 av_rescale_q(shot->taken - shot->index.times[0], shot->reader.video->time_base,
                              AV_TIME_BASE_Q));
    json_put(result, "warnings", warnings_of(shot));
    return result;
}

int thumbnail(const struct request *request, const struct source *source, json_t **ret_result,
              struct error *err)
{
    CLEANUP(shot_close) struct shot shot = {.request = request, .source = source};
    CLEANUP(source_done) struct source file = {0};
    bool png = false;
    if (take_target(&shot, &png, err) < 0 ||
        reader_open(source->path, "input", 1, &shot.reader, err) < 0)
        return -1;
    shot.reader.progress_to = 0;
    if (packet_index_read(&shot.reader, &shot.index, err) < 0 || choose(&shot, err) < 0)
        return -1;
    shot.staged = staging_open(shot.target, err);
    if (shot.staged == NULL ||
        decode(&shot, png ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_YUVJ420P, err) < 0 ||
        write_picture(&shot, png, err) < 0 || source_unchanged(source, err) < 0 ||
        source_open(xstrdup(shot.staged), "output", &file, err) < 0)
        return -1;
    json_put_text(file.facts, "path", shot.target);
    if (staging_commit(err) < 0)
        return -1;
    *ret_result = make_result(&shot, file.facts);
    return 0;
}
