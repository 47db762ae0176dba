/* Which GPU has which place among those that jobs are given: kept over restarts of batchd until the
 * machine restarts, because jobs that run have their GPUs by place. */
#ifndef BATCHD_DAEMON_ENGINE_GPU_PLACES_H
#define BATCHD_DAEMON_ENGINE_GPU_PLACES_H

#include "common/error.h"
#include "common/gpu_report.h"

#include <stdint.h>

struct db;
struct engine;

struct gpu_places_of {
    const char *boot;
    enum gpu_vendor vendor; /* GPU_VENDOR_COUNT: any */
};

/* Raises *count to the places that the store has, also those whose GPU has vanished. 0 or -1. */
int gpu_places_keep(struct db *db, const struct gpu_places_of *of, uint64_t *count,
                    struct error *err);
/* Takes them; until a report comes no job is given what has one. 0 or -1. */
int gpu_places_load(struct engine *engine, struct error *err);
/* What is new of them, in the turn's transaction. */
void gpu_places_store(struct engine *engine);

/* What NVIDIA's programs find these by, with commas, whatever vanishes: their UUIDs. Owned by the
 * caller; NULL: not all are known. */
char *gpu_places_names(const struct engine *engine, uint64_t set);
/* How the driver numbers them now, with commas. Owned by the caller. */
char *gpu_places_numbers(const struct engine *engine, uint64_t set);

#endif
