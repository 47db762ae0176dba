#include "processors/lib/lanes.h"

#include "common/alloc.h"
#include "processors/lib/report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct lanes {
    const struct lanes_work *work;
    pthread_mutex_t lock; /* of all below */
    size_t next;
    double done;
    bool failed;
    struct error first; /* why, if failed */
};

/* -1: none is left, or one failed. */
static int take(struct lanes *lanes, unsigned *ret)
{
    int result = -1;
    (void)pthread_mutex_lock(&lanes->lock);
    if (!lanes->failed && lanes->next < lanes->work->count) {
        *ret = lanes->work->units[lanes->next++];
        result = 0;
    }
    (void)pthread_mutex_unlock(&lanes->lock);
    return result;
}

static void note_failure(struct lanes *lanes, const struct error *err)
{
    (void)pthread_mutex_lock(&lanes->lock);
    if (!lanes->failed)
        lanes->first = *err;
    lanes->failed = true;
    (void)pthread_mutex_unlock(&lanes->lock);
}

static void *run_lane(void *arg)
{
    struct lanes *lanes = arg;
    unsigned unit;
    while (take(lanes, &unit) == 0) {
        struct error err = {0};
        if (lanes->work->make(lanes->work->arg, lanes, unit, &err) < 0)
            note_failure(lanes, &err);
    }
    return NULL;
}

int lanes_advance(struct lanes *lanes, double amount, struct error *err)
{
    const struct lanes_work *work = lanes->work;
    (void)pthread_mutex_lock(&lanes->lock);
    lanes->done += amount;
    const double part = work->total > 0 ? lanes->done / work->total : 1;
    report_progress(work->from + (work->to - work->from) * part, (int64_t)lanes->done);
    const bool failed = lanes->failed;
    (void)pthread_mutex_unlock(&lanes->lock);
    return failed ? error_set(err, ERROR_DRAINING, "another part failed") : 0;
}

/* The caller is a lane too: with one thread nothing is made. Threads that cannot be made are done
 * without. */
int lanes_run(const struct lanes_work *work, struct error *err)
{
    struct lanes lanes = {.work = work, .lock = PTHREAD_MUTEX_INITIALIZER, .done = work->done};
    if (work->done > 0 && work->total > 0)
        report_resumed(work->from + (work->to - work->from) * work->done / work->total);
    size_t wanted = work->threads < work->count ? work->threads : work->count;
    pthread_t *threads = xcalloc(wanted == 0 ? 1 : wanted, sizeof(*threads));
    size_t made = 0;
    while (made + 1 < wanted && pthread_create(&threads[made], NULL, run_lane, &lanes) == 0)
        made++;
    (void)run_lane(&lanes);
    for (size_t i = 0; i < made; i++)
        (void)pthread_join(threads[i], NULL);
    free(threads);
    if (!lanes.failed)
        return 0;
    *err = lanes.first;
    return -1;
}
