/* Whether the GPUs that jobs are given are seen and work. */
#include "daemon/api/checks.h"
#include "daemon/api/verb.h"
#include "daemon/engine/gpus.h"
#include "daemon/exec/gpu_watch.h"

static void tell_trouble(const char *trouble, struct finding *ret)
{
    finding_set(ret, CHECK_WARNING, "%.200s", trouble);
    finding_advise(ret, "GPUs that were seen before are given to no job", "%s",
                   "see whether the driver's own tool (nvidia-smi) answers, and whether kernel and "
                   "library of the driver are of one version");
}

/* Of each that is out the first is told. */
static void tell_out(const struct engine *engine, const struct gpu_pool *gpus, struct finding *ret)
{
    uint32_t out = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < gpus->count; i++) {
        first = gpus->slot[i].out && out == 0 ? i : first;
        out += gpus->slot[i].out;
    }
    if (out == 0)
        return;
    finding_set(ret, CHECK_WARNING, "%u of %u given to no job; GPU %u (%s): %s", out, gpus->count,
                first, engine_gpu(engine, first)->name, engine_gpu(engine, first)->fault);
    finding_advise(ret, "what runs on it goes on, and no job starts there", "%s",
                   "batchctl status names each and why; it is given to jobs again by itself");
}

static void check_gpus(const struct api *api, struct finding *ret)
{
    const struct gpu_watch *watch = api->options.gpus;
    const struct gpu_report *report = gpu_watch_report(watch);
    const struct gpu_pool *gpus = scheduler_gpus(engine_scheduler(api->engine));
    if (gpu_watch_trouble(watch) != NULL) {
        tell_trouble(gpu_watch_trouble(watch), ret);
    } else if (report != NULL && report->trouble[0] != '\0') {
        tell_trouble(report->trouble, ret);
    } else {
        finding_set(ret, CHECK_OK, "%u given to jobs, %u seen", gpus->count,
                    report == NULL ? 0 : report->count);
        tell_out(api->engine, gpus, ret);
    }
}

static const struct check checks[] = {{"drivers", check_gpus}, {NULL, NULL}};
const struct check_group checks_gpus = {.name = "gpus", .checks = checks};
