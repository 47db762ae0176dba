/* Whether jobs start, by what the machine is at (admission.c). */
#ifndef BATCHD_DAEMON_ENGINE_GATE_H
#define BATCHD_DAEMON_ENGINE_GATE_H

#include "daemon/core/admission.h"

#include <stdint.h>

struct engine;

/* The engine's. */
struct gate {
    struct admission admission;
    int64_t seen_at; /* of the sample that it has seen */
};

/* Whether one more may start now, by the newest sample. */
bool engine_admits(struct engine *engine);
/* As it was last seen; borrowed. */
const struct admission *engine_admission(const struct engine *engine);

#endif
