#include "processors/lib/lanes.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "processors/lib/report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A turn: long beside what a change costs (some 50 us until the caches are warm), short beside a
 * unit. */
#define TURN_US (20 * US_PER_MS)

struct lanes {
    const struct lanes_work *work;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t turned;
    size_t next, next_long;
    unsigned at_work;
    uint64_t last_ticket, called; /* who waits is called in the order of coming */
    double done;
    bool failed;
    struct error first; /* why, if failed */
};

struct lane {
    struct lanes *lanes;
    bool for_long; /* made for one of the long units, and ends with it */
    int64_t since; /* its turn began */
};

/* ---- turns; the lock is held ---- */

static void begin_turn(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    const uint64_t ticket = lanes->last_ticket++;
    while (lanes->at_work == lanes->work->threads || lanes->called != ticket)
        (void)pthread_cond_wait(&lanes->turned, &lanes->lock);
    lanes->called++;
    lanes->at_work++;
    (void)pthread_cond_broadcast(&lanes->turned); /* there may be room for the next one too */
    lane->since = clock_monotonic_us();
}

static void end_turn(struct lane *lane)
{
    lane->lanes->at_work--;
    (void)pthread_cond_broadcast(&lane->lanes->turned);
}

static void pass_turn(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    if (lanes->last_ticket == lanes->called || clock_monotonic_us() - lane->since < TURN_US)
        return;
    end_turn(lane);
    begin_turn(lane);
}

/* ---- units ---- */

/* -1: none is left, or one failed. A long one that no thread could be made for comes last. */
static int take(struct lane *lane, unsigned *ret)
{
    struct lanes *lanes = lane->lanes;
    const struct lanes_work *work = lanes->work;
    if (lanes->failed)
        return -1;
    if (!lane->for_long && lanes->next < work->count)
        *ret = work->units[lanes->next++];
    else if (lanes->next_long < work->long_count)
        *ret = work->units[lanes->next_long++];
    else
        return -1;
    return 0;
}

static void note_failure(struct lanes *lanes, const struct error *err)
{
    if (!lanes->failed)
        lanes->first = *err;
    lanes->failed = true;
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    struct lanes *lanes = lane->lanes;
    const struct lanes_work *work = lanes->work;
    unsigned unit;
    (void)pthread_mutex_lock(&lanes->lock);
    begin_turn(lane);
    while (take(lane, &unit) == 0) {
        struct error err = {0};
        (void)pthread_mutex_unlock(&lanes->lock);
        const int result = work->make(work->arg, lane, unit, &err);
        (void)pthread_mutex_lock(&lanes->lock);
        if (result < 0)
            note_failure(lanes, &err);
        if (lane->for_long)
            break;
    }
    end_turn(lane);
    (void)pthread_mutex_unlock(&lanes->lock);
    return NULL;
}

int lane_advance(struct lane *lane, double amount, struct error *err)
{
    struct lanes *lanes = lane->lanes;
    const struct lanes_work *work = lanes->work;
    (void)pthread_mutex_lock(&lanes->lock);
    lanes->done += amount;
    const double part = work->total > 0 ? lanes->done / work->total : 1;
    report_progress(work->from + (work->to - work->from) * part, (int64_t)lanes->done);
    pass_turn(lane);
    const bool failed = lanes->failed;
    (void)pthread_mutex_unlock(&lanes->lock);
    return failed ? error_set(err, ERROR_DRAINING, "another part failed") : 0;
}

/* The last lane is the caller's: with one unit no thread is made. Threads that cannot be made are
 * done without. */
static void run_all(struct lanes *lanes)
{
    const struct lanes_work *work = lanes->work;
    const size_t rest = work->count - work->long_count;
    const size_t common = rest < work->threads ? rest : work->threads;
    const size_t wanted = work->long_count + common;
    pthread_t *threads = xcalloc(wanted + 1, sizeof(*threads));
    struct lane *all = xcalloc(wanted + 1, sizeof(*all));
    size_t made = 0;
    for (size_t i = 0; i < wanted; i++)
        all[i] = (struct lane){.lanes = lanes, .for_long = i + 1 < wanted && i < work->long_count};
    while (made + 1 < wanted && pthread_create(&threads[made], NULL, run_lane, &all[made]) == 0)
        made++;
    if (wanted > 0)
        (void)run_lane(&all[wanted - 1]);
    for (size_t i = 0; i < made; i++)
        (void)pthread_join(threads[i], NULL);
    free(all);
    free(threads);
}

int lanes_run(const struct lanes_work *work, struct error *err)
{
    struct lanes lanes = {.work = work,
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .turned = PTHREAD_COND_INITIALIZER,
                          .next = work->long_count,
                          .done = work->done};
    if (work->done > 0 && work->total > 0)
        report_resumed(work->from + (work->to - work->from) * work->done / work->total);
    run_all(&lanes);
    if (!lanes.failed)
        return 0;
    *err = lanes.first;
    return -1;
}
