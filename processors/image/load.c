#include "processors/image/load.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "processors/image/fault.h"
#include "processors/image/picture.h"

#include <string.h>

/* The loaders that libvips trusts with files of strangers, by their class names. The list is ours:
 * one that gives files to ImageMagick, poppler or OpenSlide must not appear with an update. */
static const struct {
    const char *loader, *format;
} formats[] = {
    {"VipsForeignLoadJpegSource", "jpeg"}, {"VipsForeignLoadPngSource", "png"},
    {"VipsForeignLoadWebpSource", "webp"}, {"VipsForeignLoadTiffSource", "tiff"},
    {"VipsForeignLoadNsgifSource", "gif"}, {"VipsForeignLoadHeifSource", "heif"},
};

static const char *source_format(VipsSource *source)
{
    const char *loader = vips_foreign_find_load_source(source);
    for (size_t i = 0; loader != NULL && i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i].loader, loader) == 0)
            return formats[i].format;
    }
    return NULL;
}

int picture_check_size(const char *what, int width, int height, struct error *err)
{
    long long pixels = (long long)width * height;
    if (pixels <= PIXELS_MAX)
        return 0;
    return error_set(err, ERROR_LIMIT,
                     "%s is %d x %d = %lld pixels; at most %lld (16384 x 16384) are allowed", what,
                     width, height, pixels, PIXELS_MAX);
}

static void cleanup_source(VipsSource **source)
{
    g_clear_object(source);
}

VipsImage *picture_load(const char *path, const char *what, const char **ret_format,
                        struct error *err)
{
    /* From a source, not a name: vips reads options out of names ("a[page=2]"). */
    CLEANUP(cleanup_source) VipsSource *source = vips_source_new_from_file(path);
    *ret_format = source == NULL ? NULL : source_format(source);
    if (*ret_format == NULL) {
        vips_error_clear();
        (void)error_set(err, ERROR_DAMAGED,
                        "%s is no picture in JPEG, PNG, WebP, TIFF, GIF, HEIF or AVIF", what);
        return NULL;
    }
    CLEANUP_IMAGE VipsImage *image = vips_image_new_from_source(
        source, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL);
    if (image == NULL) { /* its PNG loader gives no reason for a header that libpng refuses */
        const bool silent = vips_error_buffer()[0] == '\0';
        (void)fault_set(err, ERROR_DAMAGED, "%s cannot be read%s", what,
                        silent ? ": its header is damaged, or names a size that cannot be" : "");
        return NULL;
    }
    if (picture_check_size(what, image->Xsize, image->Ysize, err) < 0)
        return NULL;
    return TAKE_PTR(image);
}

static const char *colour_word(VipsImage *image)
{
    const char *word =
        vips_enum_nick(VIPS_TYPE_INTERPRETATION, vips_image_guess_interpretation(image));
    return strcmp(word, "b-w") == 0 || strcmp(word, "grey16") == 0 ? "grey"
           : strcmp(word, "rgb16") == 0                            ? "rgb"
           : strcmp(word, "srgb") == 0                             ? "rgb"
                                                                   : word;
}

json_t *picture_facts(VipsImage *image, const char *format)
{
    json_t *facts = json_object();
    json_put_text(facts, "format", format);
    json_put_int(facts, "width", image->Xsize);
    json_put_int(facts, "height", image->Ysize);
    json_put_int(facts, "bands", image->Bands);
    json_put_int(facts, "bits", (json_int_t)(8 * vips_format_sizeof(image->BandFmt)));
    json_put_text(facts, "colour", colour_word(image));
    json_put(facts, "alpha", json_boolean(vips_image_hasalpha(image)));
    json_put(facts, "profile", json_boolean(vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0));
    json_put_int(facts, "pages", vips_image_get_n_pages(image));
    return facts;
}
