#include "processors/image/progress.h"

#include "processors/lib/report.h"

static void on_eval(const VipsImage *image, const VipsProgress *done,
                    const struct progress *progress)
{
    (void)image;
    double share = done->tpels > 0 ? (double)done->npels / (double)done->tpels : 0;
    double part = progress->from + (progress->to - progress->from) * share;
    report_progress(progress->before + progress->share * part, progress->done);
}

void progress_watch(VipsImage *image, struct progress *progress)
{
    vips_image_set_progress(image, TRUE);
    (void)g_signal_handlers_disconnect_by_data(image,
                                               progress); /* watched before, in another part */
    (void)g_signal_connect(image, "eval", G_CALLBACK(on_eval), progress);
}

void progress_next(struct progress *progress, double to)
{
    progress->from = progress->to;
    progress->to = to;
}
