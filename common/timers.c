#include "common/timers.h"

#include "common/alloc.h"

#include <event2/event.h>
#include <stdlib.h>

struct timer {
    struct event *event;
    timer_fn call;
    void *arg;
};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    const struct timer *timer = arg;
    timer->call(timer->arg);
}

struct timer *timer_new(struct event_base *base, timer_fn call, void *arg)
{
    struct timer *timer = xcalloc(1, sizeof(*timer));
    *timer = (struct timer){.call = call, .arg = arg};
    timer->event = evtimer_new(base, on_timer, timer);
    if (timer->event == NULL)
        out_of_memory();
    return timer;
}

void timer_free(struct timer *timer)
{
    if (timer == NULL)
        return;
    event_free(timer->event);
    free(timer);
}

void timer_set(struct timer *timer, uint64_t delay_ms)
{
    const struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                                  .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    event_must_add(timer->event, &delay);
}

void timer_clear(struct timer *timer)
{
    (void)event_del(timer->event);
}

void event_must_add(struct event *event, const struct timeval *delay)
{
    if (event_add(event, delay) < 0)
        out_of_memory();
}
