/* Whether jobs start, by what the machine is at (admission.c). */
#ifndef BATCHD_DAEMON_ENGINE_GATE_H
#define BATCHD_DAEMON_ENGINE_GATE_H

#include "daemon/core/admission.h"

#include <stdint.h>

struct engine;
struct error;
struct host_sample;

/* The engine's. */
struct gate {
    struct admission admission;
    int64_t seen_at;       /* of the sample that it has seen */
    int64_t stored;        /* what stops jobs, as the store has it (admission.c) */
    uint64_t memory_round; /* in which jobs are looked at (headroom.c) */
};

/* What stopped jobs before this start, when the machine has not been restarted since: between the
 * marks it still does. 0, or -1: the store cannot be read. */
int engine_load_admission(struct engine *engine, struct error *err);
/* headroom.c: of each sample. */
void engine_see_headroom(struct engine *engine, const struct host_sample *sample);

/* Whether one more may start now, by the newest sample. */
bool engine_admits(struct engine *engine);
/* Whether one might by the last look, were it not for the jobs themselves. */
bool engine_takes(const struct engine *engine);
/* As it was last seen; borrowed. */
const struct admission *engine_admission(const struct engine *engine);

#endif
