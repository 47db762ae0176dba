/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The processor "video": one job on stdin (processors/README.md), by FFmpeg's libraries. */
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/processor.h"
#include "processors/lib/request.h"
#include "processors/lib/result.h"
#include "processors/lib/source.h"
#include "processors/media/damage.h"
#include "processors/media/facts.h"
#include "processors/media/hardware.h"
#include "processors/media/media_log.h"
#include "processors/media/reader.h"
#include "processors/media/reader_proof.h"
#include "processors/media/versions.h"
#include "processors/media/warm.h"
#include "processors/video/thumbnail.h"
#include "processors/video/transcode.h"

#include <stdlib.h>
#include <string.h>

static const char *mode_of(const struct request *request)
{
    return request_string(request, "mode", "transcode");
}

/* Decodes everything and tells what was there. */
static int probe(const struct request *request, const struct source *source, json_t **ret_result,
                 struct error *err)
{
    CLEANUP(reader_close) struct reader reader = {0};
    const struct reader_calls calls = {0};
    if (json_object_get(request->params, "output") != NULL)
        return error_set_field(err, "params.output",
                               "params.output is given; it is not allowed with mode probe");
    if (reader_open(source->path, "input", request->cpus, &reader, err) < 0 ||
        (reader.audio != NULL && reader_decode_audio(&reader, err) < 0) ||
        reader_prove_others(&reader, err) < 0 || reader_run(&reader, &calls, err) < 0 ||
        reader_check_sound(&reader, err) < 0 || source_unchanged(source, err) < 0) {
        if (reader.damaged)
            *ret_result = damage_result(source, "input", err);
        return -1;
    }
    json_t *result = *ret_result = result_begin();
    result_add_input(result, source);
    result_put_in(result, "media", "input", facts_media(&reader));
    json_put_int(result, "frames_in", reader.frames);
    json_put_int(result, "duration_us", reader_duration_us(&reader));
    json_put(result, "metrics", json_object());
    return 0;
}

static int run(const struct request *request, json_t **ret_result, struct error *err)
{
    CLEANUP(source_done) struct source source = {0};
    media_log_init();
    /* Its errors alone. NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
    (void)setenv("SVT_LOG", "1", 0);
    if (source_open(request_path(request, "input"), "input", &source, err) < 0)
        return -1;
    const char *mode = mode_of(request);
    if (strcmp(mode, "probe") == 0)
        return probe(request, &source, ret_result, err);
    return strcmp(mode, "thumbnail") == 0 ? thumbnail(request, &source, ret_result, err)
                                          : transcode(request, &source, ret_result, err);
}

static bool uses_gpu(const struct request *request)
{
    return strcmp(mode_of(request), "transcode") == 0 && hardware_is_asked(request);
}

int main(int argc, char **argv)
{
    static const struct processor video = {.name = "video",
                                           .version = BATCHD_VERSION,
                                           .run = run,
                                           .uses_gpu = uses_gpu,
                                           .prepare = media_warm,
                                           .add_versions = media_add_versions};
    return processor_main(argc, argv, &video);
}
