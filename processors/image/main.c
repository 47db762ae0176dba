/* The image processor: one picture in, one out, resized and enhanced. The job comes on stdin, news
 * and the result go to descriptor 3 (processors/lib). The order of the work: header, limits,
 * output's name -> decode, denoise, resize (streamed into memory) -> upright -> levels, CLAHE,
 * sharpen, the format's colours (into memory) -> file -> decoded again -> renamed. */
#include "common/alloc.h"
#include "common/json.h"
#include "processors/image/colour.h"
#include "processors/image/digest.h"
#include "processors/image/enhance.h"
#include "processors/image/fault.h"
#include "processors/image/format.h"
#include "processors/image/load.h"
#include "processors/image/options.h"
#include "processors/image/picture.h"
#include "processors/image/progress.h"
#include "processors/image/save.h"
#include "processors/image/shape.h"
#include "processors/lib/processor.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/source.h"
#include "processors/lib/staging.h"

/* Shares of the time at the end of each part, as seen with all enhancements on. */
#define DECODED 0.3
#define ENHANCED 0.7
#define SAVED 0.9

/* Into memory, where it does not lie there already; vips refuses nothing here but what it cannot
 * decode or hold. */
static int hold(VipsImage **image, struct progress *progress)
{
    progress_watch(*image, progress);
    VipsImage *held = vips_image_copy_memory(*image);
    if (held == NULL)
        return -1;
    held->progress_signal = NULL; /* of the picture that goes now */
    image_replace(image, held);
    return 0;
}

static int turn_upright(VipsImage **image)
{
    VipsImage *made = NULL;
    if (vips_image_get_orientation(*image) > 1) {
        if (vips_autorot(*image, &made, NULL) < 0)
            return -1;
        image_replace(image, made);
    }
    /* The thumbnail inside EXIF shows the picture as it was. */
    (void)vips_image_remove(*image, "jpeg-thumbnail-data");
    return 0;
}

/* What grows is held before it does, so that its rows may be read in any order. */
static int decode(VipsImage **image, const struct options *options, const struct shape *shape,
                  struct progress *progress, struct error *err)
{
    bool keep_cmyk = options->format->cmyk && !options_enhance(options);
    bool grows = shape->width > (*image)->Xsize || shape->height > (*image)->Ysize;
    if (colour_prepare(image, keep_cmyk, err) < 0)
        return -1;
    progress_next(progress, DECODED);
    if ((options->denoise_radius > 0 && enhance_denoise(image, options->denoise_radius) < 0) ||
        (grows && hold(image, progress) < 0) || shape_resize(image, shape) < 0 ||
        hold(image, progress) < 0 || turn_upright(image) < 0)
        return fault_set(err, ERROR_DAMAGED, "input \"%.120s\" is damaged", options->input);
    return 0;
}

static int finish(VipsImage **image, const struct options *options, struct progress *progress,
                  struct error *err)
{
    progress_next(progress, ENHANCED);
    if (enhance(image, options) < 0)
        return fault_set(err, ERROR_INTERNAL, "enhancement");
    if (colour_fit(image, options->format, err) < 0)
        return -1;
    if (hold(image, progress) < 0)
        return fault_set(err, ERROR_INTERNAL, "enhancement");
    return 0;
}

/* The file's facts under the name that it will have. */
static int describe_output(const char *staged, const struct options *options, json_t **ret,
                           struct error *err)
{
    CLEANUP(source_done) struct source written = {0};
    if (source_open(xstrdup(staged), "output", &digest_glib, &written, err) < 0) {
        err->code = ERROR_IO;
        return -1;
    }
    json_put_text(written.facts, "path", options->output);
    *ret = json_incref(written.facts);
    return 0;
}

static int publish(VipsImage *image, const struct options *options, const char *staged,
                   struct progress *progress, json_t *result, struct error *err)
{
    json_t *media = NULL;
    json_t *metrics = NULL;
    json_t *output = NULL;
    progress_next(progress, SAVED);
    progress_watch(image, progress);
    if (save_write(image, options, staged, err) < 0)
        return -1;
    progress_next(progress, 1);
    if (save_check(image, options, staged, &media, &metrics, err) < 0)
        return -1;
    json_put(media, "source", json_incref(json_object_get(result, "media")));
    json_put(result, "media", media);
    json_put(result, "metrics", metrics);
    if (describe_output(staged, options, &output, err) < 0)
        return -1;
    json_put(result, "outputs", json_pack("[o]", output));
    return 0;
}

static void describe_input(VipsImage *image, const struct source *source, const char *format,
                           json_t *result)
{
    json_t *media = picture_facts(image, format);
    json_put_int(media, "orientation", vips_image_get_orientation(image));
    json_put(result, "inputs", json_pack("[O]", source->facts));
    json_put(result, "media", media);
    json_put_int(result, "frames_in", 1);
    json_put_int(result, "frames_out", 1);
    if (vips_image_get_n_pages(image) > 1)
        report_log("input has %d pages; the first is taken", vips_image_get_n_pages(image));
}

static int work(const struct request *request, struct options *options, struct source *source,
                json_t *result, struct error *err)
{
    const char *format = NULL;
    struct shape shape = {0};
    struct progress progress = {0};
    if (options_read(request, options, err) < 0 ||
        source_open(xstrdup(options->input), "input", &digest_glib, source, err) < 0 ||
        source_differs(source, options->output, err) < 0)
        return -1;
    CLEANUP_FREE char *what = xasprintf("input \"%.120s\"", options->input);
    CLEANUP_IMAGE VipsImage *image = picture_load(source->path, what, &format, err);
    if (image == NULL || shape_plan(image, options, &shape, err) < 0)
        return -1;
    describe_input(image, source, format, result);
    const char *staged = staging_open(request, options->output, err);
    if (staged == NULL)
        return -1;
    report_progress(0, 0);
    if (decode(&image, options, &shape, &progress, err) < 0 ||
        finish(&image, options, &progress, err) < 0 ||
        publish(image, options, staged, &progress, result, err) < 0 ||
        source_unchanged(source, err) < 0 || staging_commit(err) < 0)
        return -1;
    report_progress(1, 1);
    return 0;
}

static int run(const struct request *request, json_t **ret_result, struct error *err)
{
    gint messages = 0;
    fault_watch(&messages);
    if (vips_init("image") < 0)
        return fault_set(err, ERROR_INTERNAL, "libvips");
    vips_block_untrusted_set(TRUE);
    vips_cache_set_max(0); /* one picture, each step once: kept results would only take memory */
    vips_concurrency_set((int)request->cpus);
    CLEANUP(options_done) struct options options = {0};
    CLEANUP(source_done) struct source source = {0};
    CLEANUP_JSON json_t *result = json_object();
    int failed = work(request, &options, &source, result, err);
    vips_shutdown();
    fault_stop();
    if (failed == 0)
        *ret_result = TAKE_PTR(result);
    return failed;
}

int main(int argc, char **argv)
{
    static const struct processor processor = {
        .name = "image", .version = BATCHD_VERSION, .run = run};
    return processor_main(argc, argv, &processor);
}
