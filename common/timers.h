/* One-shot timers on the event loop, for those who may not see libevent; and for those who do, an
 * event_add that never leaves a loop deaf. */
#ifndef BATCHD_COMMON_TIMERS_H
#define BATCHD_COMMON_TIMERS_H

#include <stdint.h>

struct event;
struct event_base;
struct timer;
struct timeval;
typedef void (*timer_fn)(void *arg);

struct timer *timer_new(struct event_base *base, timer_fn call, void *arg);
void timer_free(struct timer *timer); /* NULL is allowed; also from inside the callback */
void timer_set(struct timer *timer, uint64_t delay_ms); /* again: replaces the delay */
void timer_clear(struct timer *timer);

/* It fails for want of the kernel's memory or ours only, and then ends the program (alloc.h): what
 * is not listened to is never heard of again. NULL: no delay. */
void event_must_add(struct event *event, const struct timeval *delay);

#endif
