/* One-shot timers on the event loop, for those who may not see libevent. */
#ifndef BATCHD_COMMON_TIMERS_H
#define BATCHD_COMMON_TIMERS_H

#include <stdint.h>

struct event_base;
struct timer;
typedef void (*timer_fn)(void *arg);

struct timer *timer_new(struct event_base *base, timer_fn call, void *arg);
void timer_free(struct timer *timer); /* NULL is allowed; also from inside the callback */
void timer_set(struct timer *timer, uint64_t delay_ms); /* again: replaces the delay */
void timer_clear(struct timer *timer);

#endif
