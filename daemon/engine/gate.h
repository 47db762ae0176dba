/* Whether jobs start, by what the machine is at (admission.c). */
#ifndef BATCHD_DAEMON_ENGINE_GATE_H
#define BATCHD_DAEMON_ENGINE_GATE_H

#include "common/cpu_list.h"
#include "daemon/core/admission.h"
#include "daemon/engine/gpu_state.h"
#include "daemon/engine/volumes.h"

#include <stdint.h>

struct engine;
struct error;
struct host_sample;
struct volumes;

/* What workers said last, for while there are none (binding.c). */
struct binding_said {
    struct cpu_list of;    /* those that batchd could use then */
    struct cpu_list there; /* of these the ones that jobs could be bound to */
    uint64_t spawner;      /* whose workers they were */
    int64_t until;         /* monotonic: from then on it is forgotten */
};

/* Processors that jobs are bound to (binding.c). */
struct binding {
    struct cpu_list idle; /* those that the job that starts now could have */
    struct binding_said last;
    int64_t look_at;     /* monotonic: where there are fewer than at the start, not before this */
    uint64_t binds_told; /* of the pool's, what was looked at */
    uint32_t lasting;    /* so many are there, as was said of fewer than all; 0: all */
    bool told;           /* and that no worker binds */
};

/* The engine's. */
struct gate {
    struct admission admission;
    struct volumes *volumes; /* owned (disk_room.c) */
    int64_t seen_at;         /* of the sample that it has seen */
    int64_t stored;          /* what stops jobs, as the store has it (admission.c) */
    uint64_t memory_round;   /* in which jobs are looked at (headroom.c) */
    struct gpu_devices gpus; /* each of them by itself */
    struct binding binding;
};

/* What stopped jobs before this start, when the machine has not been restarted since: between the
 * marks it still does. 0, or -1: the store cannot be read. */
int engine_load_admission(struct engine *engine, struct error *err);
/* headroom.c: of each sample. */
void engine_see_headroom(struct engine *engine, const struct host_sample *sample);

/* Looks at the newest sample, if there is one. */
void engine_see_machine(struct engine *engine);
/* Whether one more may start by that, and by the file system that every job writes to. */
bool engine_admits(const struct engine *engine);
/* The same by the figures of the machine alone. */
bool engine_takes(const struct engine *engine);
/* Nothing is short now: neither of these keeps jobs from starting one after the other. */
bool engine_is_open(const struct engine *engine);
/* As it was last seen; borrowed. */
const struct admission *engine_admission(const struct engine *engine);

#endif
