/* Which worker takes a job, and whether there should be more or fewer of them. */
#include "common/clock.h"
#include "daemon/exec/pool.h"
#include "daemon/exec/pool_workers.h"

/* Jobs shorter than this are prefetched: waiting for a commit would cost a noticeable part. */
#define SHORT_JOB_US (50 * US_PER_MS)
static bool has_short_jobs(const struct worker *worker)
{
    return worker->recent_run_us > 0 && worker->recent_run_us < SHORT_JOB_US;
}

static uint32_t room_of(const struct worker *worker)
{
    uint32_t room = 1 + (has_short_jobs(worker) ? worker->pool->options.prefetch : 0);
    return room < WORKER_QUEUE_MAX ? room : WORKER_QUEUE_MAX;
}

/* What it is handed before it has said what it has would be taken for what it never received. */
static bool takes_jobs(const struct worker *worker)
{
    return worker->state == WORKER_READY && worker->introduced &&
           (worker->rest_until == 0 || worker->rest_until <= clock_monotonic_us());
}

uint64_t pool_choose_idle(const struct pool *pool)
{
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->load == 0 && takes_jobs(worker))
            return worker->id;
    }
    return 0;
}

uint64_t pool_choose_behind(const struct pool *pool, const struct job_kind *kind)
{
    const struct worker *best = NULL;
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->load > 0 && worker->load < room_of(worker) &&
            job_kind_equal(&worker->kind, kind) && takes_jobs(worker) &&
            (best == NULL || worker->load < best->load))
            best = worker;
    }
    return best == NULL ? 0 : best->id;
}

bool pool_hands_on(const struct pool *pool, const struct job_kind *kind)
{
    const struct worker *worker = pool->workers;
    while (worker != NULL &&
           (worker->load == 0 || !job_kind_equal(&worker->kind, kind) || !takes_jobs(worker) ||
            !has_short_jobs(worker) || pool->options.prefetch == 0))
        worker = worker->next;
    return worker != NULL;
}

static size_t count_state(const struct pool *pool, enum worker_state state)
{
    size_t count = 0;
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next)
        count += worker->state == state;
    return count;
}

size_t pool_count(const struct pool *pool)
{
    return count_state(pool, WORKER_WANTED) + count_state(pool, WORKER_READY);
}

size_t pool_coming(const struct pool *pool)
{
    return count_state(pool, WORKER_WANTED);
}

size_t pool_ready_idle(const struct pool *pool)
{
    size_t count = 0;
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next)
        count += worker->state == WORKER_READY && worker->load == 0;
    return count;
}

bool pool_may_make(const struct pool *pool)
{
    return replacement_may(&pool->replacement, pool_coming(pool), clock_monotonic_us());
}

uint64_t pool_idle_since(const struct pool *pool, int64_t idle_before_us)
{
    const struct worker *oldest = NULL;
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->state == WORKER_READY && worker->load == 0 &&
            worker->idle_since <= idle_before_us &&
            (oldest == NULL || worker->idle_since < oldest->idle_since))
            oldest = worker;
    }
    return oldest == NULL ? 0 : oldest->id;
}
