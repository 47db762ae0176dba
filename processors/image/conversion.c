/* The order of the work: header, limits -> decode, denoise, resize (streamed into memory) ->
 * upright -> levels, CLAHE, sharpen, the format's colours (into memory) -> file -> decoded again ->
 * renamed. */
#include "processors/image/conversion.h"

#include "common/alloc.h"
#include "common/json.h"
#include "processors/image/colour.h"
#include "processors/image/enhance.h"
#include "processors/image/fault.h"
#include "processors/image/format.h"
#include "processors/image/load.h"
#include "processors/image/options.h"
#include "processors/image/picture.h"
#include "processors/image/save.h"
#include "processors/image/shape.h"
#include "processors/image/targets.h"
#include "processors/lib/report.h"
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
static int decode(struct conversion *is, VipsImage **image, const struct shape *shape,
                  struct error *err)
{
    const struct options *options = is->options;
    struct progress *progress = &is->progress;
    bool keep_cmyk = is->target->format->cmyk && !options_enhance(options);
    bool grows = shape->width > (*image)->Xsize || shape->height > (*image)->Ysize;
    if (colour_prepare(image, keep_cmyk, err) < 0)
        return -1;
    progress_next(progress, DECODED);
    if ((options->denoise_radius > 0 && enhance_denoise(image, options->denoise_radius) < 0) ||
        (grows && hold(image, progress) < 0) || shape_resize(image, shape) < 0 ||
        hold(image, progress) < 0 || turn_upright(image) < 0)
        return fault_set(err, ERROR_DAMAGED, "input \"%.120s\" is damaged", is->target->input);
    return 0;
}

static int finish(struct conversion *is, VipsImage **image, struct error *err)
{
    progress_next(&is->progress, ENHANCED);
    if (enhance(image, is->options) < 0)
        return fault_set(err, ERROR_INTERNAL, "enhancement");
    if (colour_fit(image, is->target->format, err) < 0)
        return -1;
    if (hold(image, &is->progress) < 0)
        return fault_set(err, ERROR_INTERNAL, "enhancement");
    return 0;
}

/* The file's facts under the name that it will have. */
static int describe_output(const char *staged, const struct target *target, json_t **ret,
                           struct error *err)
{
    CLEANUP(source_done) struct source written = {0};
    if (source_open(xstrdup(staged), "output", &written, err) < 0) {
        err->code = ERROR_IO;
        return -1;
    }
    json_put_text(written.facts, "path", target->output);
    *ret = json_incref(written.facts);
    return 0;
}

static int publish(struct conversion *is, VipsImage *image, const char *staged, json_t *result,
                   struct error *err)
{
    json_t *media = NULL;
    json_t *metrics = NULL;
    json_t *output = NULL;
    progress_next(&is->progress, SAVED);
    progress_watch(image, &is->progress);
    if (save_write(image, is->target, is->options->quality, staged, err) < 0)
        return -1;
    progress_next(&is->progress, 1);
    if (save_check(image, is->target->format, staged, &media, &metrics, err) < 0)
        return -1;
    json_put(media, "source", json_incref(json_object_get(result, "media")));
    json_put(result, "media", media);
    json_put(result, "metrics", metrics);
    if (describe_output(staged, is->target, &output, err) < 0)
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

static int make(struct conversion *is, const struct source *source, const char *staged,
                json_t *result, struct error *err)
{
    const char *format = NULL;
    struct shape shape = {0};
    CLEANUP_FREE char *what = xasprintf("input \"%.120s\"", source->path);
    CLEANUP_IMAGE VipsImage *image = picture_load(source->path, what, &format, err);
    if (image == NULL)
        return -1;
    describe_input(image, source, format, result);
    if (shape_plan(image, is->options, is->target->format, &shape, err) < 0 ||
        decode(is, &image, &shape, err) < 0 || finish(is, &image, err) < 0)
        return -1;
    return publish(is, image, staged, result, err);
}

/* The output is begun before anything decodes the input: should that end the process, what is left
 * of the output says so (batch.c). */
int conversion_run(struct conversion *is, json_t *result, struct error *err)
{
    CLEANUP(source_done) struct source source = {0};
    if (source_open(xstrdup(is->target->input), "input", &source, err) < 0)
        return -1;
    report_progress(is->progress.before, is->progress.done);
    const char *staged = staging_open(is->target->output, err);
    if (staged == NULL)
        return -1;
    if (make(is, &source, staged, result, err) < 0)
        return source_explain(&source, err);
    if (source_unchanged(&source, err) < 0 || staging_commit(err) < 0)
        return -1;
    report_progress(is->progress.before + is->progress.share, is->progress.done + 1);
    return 0;
}
