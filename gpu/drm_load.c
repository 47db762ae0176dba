#include "gpu/drm_load.h"

#include "common/gpu_report.h"

#include <stdio.h>
#include <string.h>

/* Parts of the time since the look before, by engine. */
struct sums {
    uint32_t count;
    struct {
        const char *name;
        double busy;
    } engine[DRM_ENGINES];
};

static bool is_of(const struct drm_seen *seen, const char *pci, uint64_t pid)
{
    return (!gpu_known(pid) || seen->pid == pid) && strcmp(seen->client.pci, pci) == 0;
}

static const struct drm_seen *find_same(const struct drm_look *look,
                                        const struct drm_client *client)
{
    for (size_t i = 0; i < look->count; i++) {
        if (look->seen[i].client.id == client->id &&
            strcmp(look->seen[i].client.pci, client->pci) == 0)
            return &look->seen[i];
    }
    return NULL;
}

static const struct drm_engine *find_engine(const struct drm_client *client, const char *name)
{
    for (uint32_t i = 0; i < client->engines; i++) {
        if (strcmp(client->engine[i].name, name) == 0)
            return &client->engine[i];
    }
    return NULL;
}

/* By the time that it was busy, or by its own clock, whichever the driver tells. */
static double part_of(const struct drm_engine *before, const struct drm_engine *now,
                      int64_t passed_us)
{
    double busy, passed;
    if (gpu_known(before->busy_ns) && gpu_known(now->busy_ns)) {
        busy = (double)now->busy_ns - (double)before->busy_ns;
        passed = (double)passed_us * 1000;
    } else if (gpu_known(before->cycles) && gpu_known(now->cycles) &&
               gpu_known(before->total_cycles) && gpu_known(now->total_cycles)) {
        busy = (double)now->cycles - (double)before->cycles;
        passed = (double)now->total_cycles - (double)before->total_cycles;
    } else {
        return 0;
    }
    return busy <= 0 || passed <= 0 ? 0 : busy / passed / (double)now->capacity;
}

static void add(struct sums *sums, const char *name, double busy)
{
    uint32_t i = 0;
    while (i < sums->count && strcmp(sums->engine[i].name, name) != 0)
        i++;
    if (i == DRM_ENGINES)
        return;
    if (i == sums->count) {
        sums->engine[i].name = name;
        sums->engine[i].busy = 0;
        sums->count++;
    }
    sums->engine[i].busy += busy;
}

static void add_client(struct sums *sums, const struct drm_seen *before, const struct drm_seen *now)
{
    for (uint32_t i = 0; i < now->client.engines; i++) {
        const struct drm_engine *engine = &now->client.engine[i];
        const struct drm_engine *was = find_engine(&before->client, engine->name);
        if (was != NULL)
            add(sums, engine->name, part_of(was, engine, now->at_us - before->at_us));
    }
}

uint64_t drm_load(const struct drm_look *before, const struct drm_look *now, const char *pci,
                  uint64_t pid)
{
    struct sums sums = {.count = 0};
    double most = 0;
    for (size_t i = 0; i < now->count; i++) {
        const struct drm_seen *was =
            is_of(&now->seen[i], pci, pid) ? find_same(before, &now->seen[i].client) : NULL;
        if (was != NULL)
            add_client(&sums, was, &now->seen[i]);
    }
    for (uint32_t i = 0; i < sums.count; i++)
        most = sums.engine[i].busy > most ? sums.engine[i].busy : most;
    if (sums.count == 0)
        return GPU_UNKNOWN;
    return most >= 1 ? 100 : (uint64_t)(100 * most + 0.5);
}
