/* A turn: what one or more passes of the event loop changed, in one transaction. At its end the
 * scheduler chooses, then comes the commit, and only then is anything said or started. */
#ifndef BATCHD_DAEMON_TURN_H
#define BATCHD_DAEMON_TURN_H

#include "common/error.h"
#include "daemon/api/api.h"
#include "daemon/core/meters.h"
#include "daemon/engine/engine.h"
#include "daemon/net/listener.h"
#include "daemon/store/db.h"

#include <stdbool.h>

struct event_base;
struct turn;

struct turn_parts { /* borrowed, for longer than the turn */
    struct event_base *base;
    struct db *db;
    struct engine *engine;
    struct api *api;
    struct listener *listener;
    struct meters *meters;
};

struct turn *turn_new(const struct turn_parts *parts);
void turn_free(struct turn *turn);

/* There is more to do at once: the next pass of the loop is not to wait for news. */
bool turn_has_more(const struct turn *turn);
/* After a pass. What workers report while they run short jobs comes every few hundred microseconds.
 * Committed one by one it would keep the disk and a processor busy; so when a commit was just made
 * and no client waits, the turn stays open a little, and one commit takes more of it. Workers have
 * the next jobs already (workers.prefetch). A client's request, or news after a pause, is committed
 * at once. */
bool turn_stays_open(struct turn *turn);
/* 0, or -1: the store refused it, and nothing that depends on it was said. */
int turn_end(struct turn *turn, struct error *err);
/* The store's write-ahead log is to be made short after the next commit. */
void turn_shrink_store(struct turn *turn);

#endif
