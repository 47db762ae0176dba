#include "daemon/events/bus.h"

#include "common/alloc.h"

#include <stdlib.h>

struct bus_subscriber {
    struct bus_subscriber *next;
    bus_fn call; /* NULL: removed, freed after the round */
    void *arg;
};

struct bus {
    struct bus_event *ring;
    size_t room;
    uint64_t first, published, added; /* seqs: oldest kept, newest published, newest added */
    struct bus_event *queue;          /* this turn's, progress included */
    size_t queued, queue_room;
    struct bus_subscriber *subscribers;
    bool in_round, removed;
};

static const char *const kind_words[BUS_KIND_COUNT] = {
    [BUS_SUBMITTED] = "submitted",
    [BUS_STARTING] = "starting",
    [BUS_STARTED] = "started",
    [BUS_PROGRESS] = "progress",
    [BUS_REQUEUED] = "requeued",
    [BUS_CANCELLING] = "cancelling",
    [BUS_TASKS_CANCELLED] = "tasks_cancelled",
    [BUS_HELD] = "held",
    [BUS_RELEASED] = "released",
    [BUS_EDITED] = "edited",
    [BUS_SUSPENDED] = "suspended",
    [BUS_RESUMED] = "resumed",
    [BUS_ENDED] = "ended",
    [BUS_BREAKER] = "breaker",
};

const char *bus_kind_word(enum bus_kind kind)
{
    return (unsigned)kind < BUS_KIND_COUNT ? kind_words[kind] : "?";
}

struct bus *bus_new(uint64_t life, size_t backlog)
{
    struct bus *bus = xcalloc(1, sizeof(*bus));
    bus->room = backlog > 0 ? backlog : 1;
    bus->ring = xcalloc(bus->room, sizeof(*bus->ring));
    bus->published = bus->added = life << 32U;
    bus->first = bus->added + 1;
    return bus;
}

static void free_breaker(struct bus_event *event)
{
    if (event->breaker != NULL)
        free(event->breaker->name);
    free(event->breaker);
    event->breaker = NULL;
}

void bus_free(struct bus *bus)
{
    if (bus == NULL)
        return;
    while (bus->subscribers != NULL) {
        struct bus_subscriber *subscriber = bus->subscribers;
        bus->subscribers = subscriber->next;
        free(subscriber);
    }
    for (size_t i = 0; i < bus->room; i++)
        free_breaker(&bus->ring[i]);
    for (size_t i = 0; i < bus->queued; i++)
        free_breaker(&bus->queue[i]);
    free(bus->ring);
    free(bus->queue);
    free(bus);
}

struct bus_subscriber *bus_subscribe(struct bus *bus, bus_fn call, void *arg)
{
    struct bus_subscriber *subscriber = xcalloc(1, sizeof(*subscriber));
    *subscriber = (struct bus_subscriber){.next = bus->subscribers, .call = call, .arg = arg};
    bus->subscribers = subscriber;
    return subscriber;
}

static void sweep_removed(struct bus *bus)
{
    struct bus_subscriber **link = &bus->subscribers;
    while (*link != NULL) {
        struct bus_subscriber *subscriber = *link;
        if (subscriber->call == NULL) {
            *link = subscriber->next;
            free(subscriber);
        } else {
            link = &subscriber->next;
        }
    }
    bus->removed = false;
}

void bus_unsubscribe(struct bus *bus, struct bus_subscriber *subscriber)
{
    if (subscriber == NULL)
        return;
    subscriber->call = NULL;
    bus->removed = true;
    if (!bus->in_round)
        sweep_removed(bus);
}

void bus_add(struct bus *bus, struct bus_event event)
{
    if (event.kind == BUS_PROGRESS && bus->subscribers == NULL)
        return;
    if (event.kind != BUS_PROGRESS)
        bus->added++;
    event.seq = bus->added;
    if (event.breaker != NULL) {
        struct bus_breaker *mine = xmalloc(sizeof(*mine));
        *mine = *event.breaker;
        mine->name = xstrdup(mine->name);
        event.breaker = mine;
    }
    if (bus->queued == bus->queue_room) {
        bus->queue_room = bus->queue_room > 0 ? bus->queue_room * 2 : 64;
        bus->queue = xreallocarray(bus->queue, bus->queue_room, sizeof(*bus->queue));
    }
    bus->queue[bus->queued++] = event;
}

static void keep(struct bus *bus, const struct bus_event *event)
{
    free_breaker(&bus->ring[event->seq % bus->room]); /* of one that is kept no longer */
    bus->ring[event->seq % bus->room] = *event;
    bus->published = event->seq;
    if (bus->published - bus->first >= bus->room)
        bus->first = bus->published - bus->room + 1;
}

void bus_publish(struct bus *bus)
{
    bus->in_round = true;
    for (size_t i = 0; i < bus->queued; i++) {
        struct bus_event event = bus->queue[i];
        if (event.kind != BUS_PROGRESS)
            keep(bus, &event);
        for (struct bus_subscriber *one = bus->subscribers; one != NULL; one = one->next) {
            if (one->call != NULL)
                one->call(one->arg, &event);
        }
    }
    bus->queued = 0;
    bus->in_round = false;
    if (bus->removed)
        sweep_removed(bus);
}

int bus_replay(const struct bus *bus, uint64_t since, bus_fn call, void *arg, uint64_t *ret_oldest)
{
    if (since + 1 < bus->first || since > bus->published) {
        *ret_oldest = bus->first - 1;
        return -1;
    }
    for (uint64_t seq = since + 1; seq <= bus->published; seq++)
        call(arg, &bus->ring[seq % bus->room]);
    return 0;
}

uint64_t bus_last_seq(const struct bus *bus)
{
    return bus->published;
}
