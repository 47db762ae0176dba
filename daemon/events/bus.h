/* What happened, in order, for those who follow: a ring of the newest events and a list of
 * subscribers. Events of a turn are queued by bus_add and go out by bus_publish, after the commit.
 *
 * `seq` is gapless within one life of the daemon and only grows over restarts: its upper bits are
 * the number of the start (a counter in the store), its lower 32 bits count. A reader that asks for
 * what is no longer in the ring, or for another life's events, is told the oldest that is there. */
#ifndef BATCHD_DAEMON_EVENTS_BUS_H
#define BATCHD_DAEMON_EVENTS_BUS_H

#include "daemon/core/breaker.h"
#include "daemon/core/job.h"

enum bus_kind {
    BUS_SUBMITTED,
    BUS_STARTING,
    BUS_STARTED,
    BUS_PROGRESS, /* not kept in the ring, takes no seq: seq is that of the event before */
    BUS_REQUEUED,
    BUS_HELD,
    BUS_RELEASED,
    BUS_EDITED,
    BUS_SUSPENDED,
    BUS_RESUMED,
    BUS_CANCELLING,
    BUS_TASKS_CANCELLED, /* of the array: some of its tasks end without having started */
    BUS_ENDED,
    BUS_BREAKER, /* of no job: a circuit breaker came into another state */
    BUS_KIND_COUNT
};

struct bus_breaker {
    enum breaker_state state;
    bool everybody; /* may read of it, not only its owner */
    int64_t until;  /* of an open one */
    char *name;     /* "name:make" */
};

struct bus_event {
    uint64_t seq;
    int64_t at; /* microseconds since the epoch */
    uint64_t job;
    uint64_t index; /* of the task, when it is about one task of an array */
    bool is_task;
    uint32_t uid, attempt;
    enum bus_kind kind : 8;
    enum job_state state : 8;
    enum outcome_class class : 8;
    int exit_code;        /* -1: none */
    int signal;           /* 0: none */
    const char *progress; /* BUS_PROGRESS only: a JSON text, borrowed for the call */
    /* BUS_BREAKER only: what it is of, NULL for all others. The bus keeps its own. */
    struct bus_breaker *breaker;
};

struct bus;
struct bus_subscriber;
typedef void (*bus_fn)(void *arg, const struct bus_event *event);

/* `life` is the number of this start, `backlog` how many events the ring keeps. */
struct bus *bus_new(uint64_t life, size_t backlog);
void bus_free(struct bus *bus);

/* Subscribers may be added and removed at any time, also from inside a callback. */
struct bus_subscriber *bus_subscribe(struct bus *bus, bus_fn call, void *arg);
void bus_unsubscribe(struct bus *bus, struct bus_subscriber *subscriber); /* NULL is allowed */

void bus_add(struct bus *bus, struct bus_event event); /* seq is set here */
void bus_publish(struct bus *bus);

/* Calls with every published event after `since`. 0, or -1 when some of them are gone; then
 * *ret_oldest is a value of `since` that works. */
int bus_replay(const struct bus *bus, uint64_t since, bus_fn call, void *arg, uint64_t *ret_oldest);
uint64_t bus_last_seq(const struct bus *bus);
const char *bus_kind_word(enum bus_kind kind);

#endif
