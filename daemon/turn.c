#include "daemon/turn.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/timers.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

/* How close two commits may be when no client waits for the second. */
#define PACE_US 2000

struct turn {
    struct turn_parts parts;
    struct event *pace;   /* ends one that stayed open */
    int64_t committed_at; /* monotonic */
    bool shrink;          /* the store's log, after the next commit */
};

/* The loop goes round for it; that is all. */
static void on_pace(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
}

struct turn *turn_new(const struct turn_parts *parts)
{
    struct turn *turn = xcalloc(1, sizeof(*turn));
    turn->parts = *parts;
    turn->pace = evtimer_new(parts->base, on_pace, NULL);
    if (turn->pace == NULL)
        out_of_memory();
    return turn;
}

void turn_free(struct turn *turn)
{
    if (turn == NULL)
        return;
    event_free(turn->pace);
    free(turn);
}

static void meter(struct buckets *buckets, int64_t from, int64_t to)
{
    buckets_add(buckets, buckets_of_turns, (double)(to - from) / US_PER_SECOND);
}

int turn_end(struct turn *turn, struct error *err)
{
    const struct turn_parts *parts = &turn->parts;
    const int64_t began = clock_monotonic_us();
    engine_schedule(parts->engine);
    const int64_t chosen = clock_monotonic_us();
    meter(&parts->meters->choices, began, chosen);
    if (engine_sound(parts->engine, err) < 0)
        return -1;
#ifdef BATCHD_MUTANT_REPLY_EARLY /* crash tests build this to show that they can fail */
    listener_flush(parts->listener);
    (void)usleep(3000);
#endif
    const bool wrote = db_in_transaction(parts->db);
    if (db_commit(parts->db, err) < 0)
        return -1;
    if (wrote) {
        turn->committed_at = clock_monotonic_us();
        meter(&parts->meters->commits, chosen, turn->committed_at);
    }
    engine_committed(parts->engine);
    api_committed(parts->api);
    listener_flush(parts->listener);
    if (turn->shrink)
        db_shrink(parts->db);
    turn->shrink = false;
    return 0;
}

bool turn_has_more(const struct turn *turn)
{
    return listener_pending(turn->parts.listener) || engine_unfinished(turn->parts.engine);
}

bool turn_stays_open(struct turn *turn)
{
    int64_t left = turn->committed_at + PACE_US - clock_monotonic_us();
    if (left <= 0 || !db_in_transaction(turn->parts.db) || turn_has_more(turn))
        return false;
    const struct timeval wait = {.tv_usec = left};
    event_must_add(turn->pace, &wait);
    return true;
}

void turn_shrink_store(struct turn *turn)
{
    turn->shrink = true;
}
