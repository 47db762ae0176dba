/* The machine minute by minute: the monitor's samples are summed up, and a minute that is over goes
 * into the turn's transaction. What is not over is lost with the daemon. */
#ifndef BATCHD_DAEMON_ENGINE_MACHINE_HISTORY_H
#define BATCHD_DAEMON_ENGINE_MACHINE_HISTORY_H

#include "daemon/core/machine_minute.h"
#include "daemon/core/machine_parts.h"

struct engine;

struct machine_history {
    int64_t seen_at; /* the sample that was counted last */
    struct machine_minute minute;
    struct machine_parts parts; /* in that minute */
};

/* At the end of a turn. */
void engine_note_machine(struct engine *engine);

#endif
