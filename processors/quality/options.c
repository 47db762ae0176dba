/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/options.h"

#include "processors/lib/request.h"

#include <libavfilter/avfilter.h>
#include <string.h>

const char *const metric_names[METRIC_COUNT] = {[METRIC_PSNR] = "psnr", [METRIC_SSIM] = "ssim"};

const char *options_vmaf(void)
{
    return avfilter_get_by_name("libvmaf") == NULL
               ? "this FFmpeg (" LIBAVFILTER_IDENT ") has no filter libvmaf"
               : "this FFmpeg has the filter libvmaf, but this version of quality does not use it";
}

/* The manifest lets no other words in. */
static void take_metric(const char *word, struct options *ret)
{
    ret->vmaf_wanted |= strcmp(word, "vmaf") == 0;
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        ret->wanted[metric] |= strcmp(word, metric_names[metric]) == 0;
}

static int read_metrics(const struct request *request, struct options *ret, struct error *err)
{
    size_t i;
    json_t *word;
    json_array_foreach(json_object_get(request->params, "metrics"), i, word)
        take_metric(json_string_value(word), ret);
    if (!ret->wanted[METRIC_PSNR] && !ret->wanted[METRIC_SSIM])
        return error_set_field(err, "params.metrics",
                               "params.metrics is vmaf alone, which is unavailable: %s",
                               options_vmaf());
    return 0;
}

static int read_limit(const struct request *request, enum metric metric, struct options *ret,
                      struct error *err)
{
    char name[32];
    char field[ERROR_FIELD_BYTES];
    (void)snprintf(name, sizeof(name), "min_%s", metric_names[metric]);
    (void)snprintf(field, sizeof(field), "params.%s", name);
    ret->has_min[metric] = json_object_get(request->params, name) != NULL;
    ret->min[metric] = request_number(request, name, 0);
    if (ret->has_min[metric] && !ret->wanted[metric])
        return error_set_field(err, field, "%s is %g, but params.metrics does not have %s", field,
                               ret->min[metric], metric_names[metric]);
    return 0;
}

static void read_align(const struct request *request, struct options *ret)
{
    const char *align = request_string(request, "align", "none");
    const bool both = strcmp(align, "both") == 0;
    ret->scale = both || strcmp(align, "scale") == 0;
    ret->pairing = both || strcmp(align, "time") == 0 ? PAIR_TIME
                   : strcmp(align, "number") == 0     ? PAIR_NUMBER
                                                      : PAIR_EXACT;
}

int options_read(const struct request *request, struct options *ret, struct error *err)
{
    if (read_metrics(request, ret, err) < 0)
        return -1;
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (read_limit(request, (enum metric)metric, ret, err) < 0)
            return -1;
    }
    read_align(request, ret);
    /* A gate that nothing can open or close is no gate. */
    if (json_object_get(request->params, "min_vmaf") != NULL)
        return error_set_field(err, "params.min_vmaf",
                               "params.min_vmaf is %g, but VMAF is unavailable: %s",
                               request_number(request, "min_vmaf", 0), options_vmaf());
    return 0;
}
