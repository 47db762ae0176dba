/* The jobs that wait longest (oldest.h). */
#include "daemon/engine/internal.h"
#include "daemon/engine/oldest.h"

#include <string.h>

/* Some 0.3 ms. */
#define LOOKS 50000U

static void look(void *arg, struct job *job)
{
    int64_t *oldest = arg;
    const bool waits = job->queued || (job->put_off && (job->packed & JOB_BLOCKS) == JOB_LATER);
    if (waits && (oldest[job->queue] == 0 || job->since < oldest[job->queue]))
        oldest[job->queue] = job->since;
}

void engine_look_for_oldest(struct engine *engine)
{
    struct oldest *oldest = &engine->statistics.oldest;
    jobset_look(engine->jobs, &oldest->at, LOOKS, look, oldest->passing);
    if (oldest->at != 0)
        return;
    memcpy(oldest->found, oldest->passing, sizeof(oldest->found));
    memset(oldest->passing, 0, sizeof(oldest->passing));
}

int64_t engine_oldest_in(const struct engine *engine, uint8_t queue)
{
    return jobset_waiting_in(engine->jobs, queue) == 0 ? 0 : engine->statistics.oldest.found[queue];
}
