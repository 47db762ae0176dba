/* The image processor: pictures in, pictures out, resized, converted and enhanced. The job comes on
 * stdin, news and the result go to descriptor 3 (processors/lib). */
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/image/batch.h"
#include "processors/image/conversion.h"
#include "processors/image/fault.h"
#include "processors/image/inputs.h"
#include "processors/image/options.h"
#include "processors/image/targets.h"
#include "processors/lib/processor.h"
#include "processors/lib/request.h"

#include <vips/vips.h>

static int convert_one(const struct batch *batch, json_t *result, struct error *err)
{
    struct conversion one = {.request = batch->request,
                             .options = batch->options,
                             .target = batch->targets->target,
                             .progress = {.share = 1}};
    return conversion_run(&one, result, err);
}

static int work(const struct request *request, json_t **ret_result, struct error *err)
{
    bool several = false;
    struct options options = {0};
    CLEANUP_JSON json_t *inputs = NULL;
    CLEANUP_JSON json_t *result = json_object();
    CLEANUP(targets_done) struct targets targets = {0};
    const struct batch batch = {.request = request, .options = &options, .targets = &targets};
    if (options_read(request, &options, err) < 0 ||
        inputs_read(request, &inputs, &several, err) < 0 ||
        targets_plan(request, &options, inputs, several, &targets, err) < 0)
        return -1;
    if (several)
        return batch_run(&batch, ret_result, err);
    if (convert_one(&batch, result, err) < 0)
        return -1;
    *ret_result = TAKE_PTR(result);
    return 0;
}

static int run(const struct request *request, json_t **ret_result, struct error *err)
{
    gint messages = 0;
    fault_watch(&messages);
    if (vips_init("image") < 0)
        return fault_set(err, ERROR_INTERNAL, "libvips");
    vips_block_untrusted_set(TRUE);
    vips_cache_set_max(0); /* each step is done once: kept results would only take memory */
    vips_concurrency_set((int)request->cpus);
    int failed = work(request, ret_result, err);
    vips_shutdown();
    fault_stop();
    return failed;
}

static void add_versions(json_t *versions)
{
    json_put_text(versions, "libvips", vips_version_string());
}

int main(int argc, char **argv)
{
    static const struct processor processor = {
        .name = "image", .version = BATCHD_VERSION, .run = run, .add_versions = add_versions};
    return processor_main(argc, argv, &processor);
}
