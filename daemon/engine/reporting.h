/* What the workers say, as events on jobs (reports.c). */
#ifndef BATCHD_DAEMON_ENGINE_REPORTING_H
#define BATCHD_DAEMON_ENGINE_REPORTING_H

#include "daemon/engine/unread_logs.h"
#include "daemon/exec/pool.h"

struct engine;
struct event_base;
struct timer;

/* They are read again soon. Owned by the engine. */
struct unread_logs {
    struct unread_log *first;
    struct timer *timer;
};

extern const struct pool_events engine_pool_events;
void reports_begin(struct engine *engine, struct event_base *base);
void reports_end(struct engine *engine);

#endif
