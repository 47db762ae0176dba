/* A circuit breaker: jobs of one kind that keep failing are parked, and after a while a few of them
 * (probes) find out whether it is worth going on. Pure: time is an argument, microseconds.
 *
 * closed: each counted end goes into a window of the last so many; when at least `minimum` are in
 *   it and `rate` percent of them failed, it opens.
 * open: nothing starts until `until`. The time doubles with each opening since it was last closed.
 * half_open: `probes` attempts may start. When as many have ended it closes, or opens again when
 *   `rate` percent of them failed. A probe whose end does not count gives its place back.
 * forced_open, disabled: as somebody wants it, until it is reset. */
#ifndef BATCHD_DAEMON_CORE_BREAKER_H
#define BATCHD_DAEMON_CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
    BREAKER_FORCED_OPEN,
    BREAKER_DISABLED,
    BREAKER_STATE_COUNT
};

enum breaker_event {
    BREAKER_TRIP, /* too many of the window failed */
    BREAKER_DUE,  /* the time that it is open is over */
    BREAKER_PASS, /* its probes went well */
    BREAKER_FAIL, /* they did not */
    BREAKER_RESET,
    BREAKER_FORCE,
    BREAKER_DISABLE,
    BREAKER_EVENT_COUNT
};

#define BREAKER_WINDOW_MAX 64U /* a bit for each */
#define BREAKER_PROBES_MAX 100U

struct breaker_rule {
    uint32_t window, minimum; /* minimum <= window <= BREAKER_WINDOW_MAX */
    uint32_t rate;            /* percent, 1 to 100 */
    uint32_t probes;          /* 1 to BREAKER_PROBES_MAX */
    int64_t open_us, open_max_us;
};

/* Zero-initialised it is closed, and nothing has ended. */
struct breaker {
    enum breaker_state state;
    uint64_t window;    /* bit 0 is the newest end, 1: it failed */
    uint32_t ends;      /* how many are in it */
    uint32_t openings;  /* since it was last closed */
    uint32_t good, bad; /* probes that have ended */
    uint32_t probing;   /* probes that run */
    int64_t changed_at; /* when it came into its state; 0: it was never in another */
    int64_t until;      /* of an open one */
};

/* The state after `event`, or -1 when the event means nothing in this state. */
int breaker_next(enum breaker_state state, enum breaker_event event);

const char *breaker_state_word(enum breaker_state state); /* of the wire */

/* Whether an attempt may start now; of a half-open one it is a probe then (breaker_take_probe). */
bool breaker_allows(const struct breaker *breaker, const struct breaker_rule *rule);
/* So many more probes may start: of a half-open one. */
uint32_t breaker_room(const struct breaker *breaker, const struct breaker_rule *rule);
void breaker_take_probe(struct breaker *breaker);
/* Its end does not count, or it never began. */
void breaker_give_back(struct breaker *breaker);
/* True when it changed the state, as for all that follow. */
bool breaker_probe_ended(struct breaker *breaker, const struct breaker_rule *rule, bool failed,
                         int64_t now);
/* What ended was no probe: it counts while the breaker is closed. */
bool breaker_ended(struct breaker *breaker, const struct breaker_rule *rule, bool failed,
                   int64_t now);
/* Time has passed. A clock that was put back opens nothing for longer than it was to be. */
bool breaker_advance(struct breaker *breaker, const struct breaker_rule *rule, int64_t now);
/* BREAKER_RESET, BREAKER_FORCE or BREAKER_DISABLE. */
bool breaker_order(struct breaker *breaker, enum breaker_event order, int64_t now);

unsigned breaker_failures(const struct breaker *breaker); /* in the window */
/* Whether few of its window failed: less than half the rate. */
bool breaker_calm(const struct breaker *breaker, const struct breaker_rule *rule);
/* A closed one of which nothing is worth keeping. */
bool breaker_blank(const struct breaker *breaker);
/* How long it is open with this opening. */
int64_t breaker_open_span(const struct breaker_rule *rule, uint32_t openings);

#endif
