/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/options.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/lib/request.h"

#include <string.h>

const char *const metric_names[METRIC_COUNT] = {[METRIC_PSNR] = "psnr", [METRIC_SSIM] = "ssim"};

static int take_metric(const char *word, struct options *ret, struct error *err)
{
    if (strcmp(word, "vmaf") == 0) {
        ret->vmaf_wanted = true;
        return 0;
    }
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (strcmp(word, metric_names[metric]) == 0) {
            ret->wanted[metric] = true;
            return 0;
        }
    }
    return error_set_field(err, "params.metrics",
                           "params.metrics has \"%.40s\"; it must be psnr, ssim and vmaf, or some "
                           "of them, with commas between",
                           word);
}

static int read_metrics(const struct request *request, struct options *ret, struct error *err)
{
    CLEANUP_FREE char *list = xstrdup(request_string(request, "metrics", "psnr,ssim"));
    char *rest = list;
    char *word;
    while ((word = strsep(&rest, ",")) != NULL) {
        word += strspn(word, " ");
        word[strcspn(word, " ")] = '\0';
        if (take_metric(word, ret, err) < 0)
            return -1;
    }
    if (!ret->wanted[METRIC_PSNR] && !ret->wanted[METRIC_SSIM])
        return error_set_field(
            err, "params.metrics",
            "params.metrics is vmaf alone, which is unavailable: this FFmpeg has "
            "no libvmaf");
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
                               "params.min_vmaf is %g, but VMAF is unavailable: this FFmpeg has no "
                               "libvmaf",
                               request_number(request, "min_vmaf", 0));
    return 0;
}
