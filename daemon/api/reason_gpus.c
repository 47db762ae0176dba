#include "daemon/api/reason_gpus.h"

#include "common/cleanup.h"
#include "common/parse.h"
#include "daemon/api/wording.h"
#include "daemon/engine/gpus.h"

/* So many are told one by one. */
#define GPUS_TOLD 8U

bool reason_lacks_gpus(const struct engine *engine, const struct job *job)
{
    const struct resources *wanted = scheduler_wanted(engine_scheduler(engine), job);
    return gpu_pool_asked(wanted) &&
           !gpu_pool_fits(scheduler_gpus(engine_scheduler(engine)), wanted);
}

static void put_share(FILE *detail, const struct gpu_slot *slot)
{
    char left[32], total[32];
    if (slot->shares > 0)
        (void)fprintf(detail, ": %g of it is given to jobs", (double)slot->shares / GPU_WHOLE);
    else
        (void)fputs(": no job has it", detail);
    if (slot->total_bytes == 0)
        return;
    format_size(gpu_slot_room(slot), left, sizeof(left));
    format_size(slot->total_bytes, total, sizeof(total));
    (void)fprintf(detail, ", %s of its %s memory free", left, total);
}

static void put_gpu(const struct engine *engine, unsigned index, FILE *detail)
{
    const struct gpu_slot *slot = &scheduler_gpus(engine_scheduler(engine))->slot[index];
    const struct gpu_device *device = engine_gpu(engine, index);
    (void)fprintf(detail, "GPU %u", index);
    if (device->name[0] != '\0')
        (void)fprintf(detail, " (%s)", device->name);
    if (slot->out)
        (void)fprintf(detail, ": %s", device->fault);
    else if (slot->whole > 0)
        (void)fputs(": a job has it", detail);
    else
        put_share(detail, slot);
}

static void put_wanted(const struct resources *wanted, FILE *detail)
{
    char memory[32];
    if (wanted->amount[RESOURCE_GPU_SHARE] > 0) {
        (void)fprintf(detail, "it asks for %g of a gpu",
                      (double)wanted->amount[RESOURCE_GPU_SHARE] / GPU_WHOLE);
    } else {
        CLEANUP_FREE char *count = wording_count(wanted->amount[RESOURCE_GPUS], NULL, "gpu");
        (void)fprintf(detail, "it asks for %s", count);
    }
    if (wanted->amount[RESOURCE_GPU_MEMORY] == 0)
        return;
    format_size(wanted->amount[RESOURCE_GPU_MEMORY], memory, sizeof(memory));
    (void)fprintf(detail, " with %s memory", memory);
}

void reason_put_gpus(const struct engine *engine, const struct job *job, FILE *detail)
{
    const uint32_t count = scheduler_gpus(engine_scheduler(engine))->count;
    put_wanted(scheduler_wanted(engine_scheduler(engine), job), detail);
    for (uint32_t i = 0; i < count && i < GPUS_TOLD; i++) {
        (void)fputs(i == 0 ? " (" : "; ", detail);
        put_gpu(engine, i, detail);
    }
    if (count > 0)
        (void)fputs(count > GPUS_TOLD ? "; ...)" : ")", detail);
}

void reason_put_out_gpus(const struct engine *engine, const struct job *job, FILE *detail)
{
    const struct gpu_pool *gpus = scheduler_gpus(engine_scheduler(engine));
    if (!gpu_pool_asked(scheduler_wanted(engine_scheduler(engine), job)))
        return;
    for (uint32_t i = 0, told = 0; i < gpus->count && told < GPUS_TOLD; i++) {
        if (!gpus->slot[i].out)
            continue;
        (void)fputs("; ", detail);
        put_gpu(engine, i, detail);
        told++;
    }
}
