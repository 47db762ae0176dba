/* Which worker takes a job, and whether there should be more or fewer of them. */
#include "common/clock.h"
#include "daemon/exec/pool.h"
#include "daemon/exec/pool_workers.h"
#include "daemon/exec/spawner.h"

/* How many are handed over behind the one that runs: as many as it does within batch_target, by
 * what its jobs took lately. Behind longer ones nobody notices the wait for a commit. */
static uint32_t ahead_of(const struct worker *worker)
{
    const struct pool_options *options = &worker->pool->options;
    if (worker->recent_run_us == 0)
        return 0;
    const uint64_t fit = options->batch_target_us / worker->recent_run_us;
    return fit < options->prefetch ? (uint32_t)fit : options->prefetch;
}

static uint32_t room_of(const struct worker *worker)
{
    uint32_t room = 1 + ahead_of(worker);
    return room < WORKER_QUEUE_MAX ? room : WORKER_QUEUE_MAX;
}

/* What it is handed before it has said what it has would be taken for what it never received. */
static bool takes_jobs(const struct worker *worker)
{
    return worker->state == WORKER_READY && worker->introduced &&
           worker->facts.drain == WORKER_DRAIN_NO &&
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

bool pool_quit_older(struct pool *pool, uint64_t id)
{
    const struct worker *worker = pool_find(pool, id);
    if (worker == NULL || worker->spawner == pool->spawners || !spawner_is_there(pool->spawner))
        return false;
    pool_quit(pool, id);
    return true;
}

uint64_t pool_choose_binding(struct pool *pool)
{
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->load > 0 || !takes_jobs(worker))
            continue;
        if (worker->binds)
            return worker->id;
        (void)pool_quit_older(pool, worker->id);
    }
    return 0;
}

static void keep_bindable(const struct worker *worker, struct cpu_list *list)
{
    if (!cpu_list_is_empty(&worker->bindable))
        cpu_list_keep(list, &worker->bindable);
}

void pool_keep_bindable(const struct pool *pool, uint64_t id, struct cpu_list *list)
{
    const struct worker *worker = pool_find(pool, id);
    if (worker != NULL)
        keep_bindable(worker, list);
}

/* As those will be that come. */
static bool is_as_new(const struct worker *worker)
{
    return worker->binds && worker->spawner == worker->pool->spawners &&
           (worker->state == WORKER_WANTED || worker->state == WORKER_READY);
}

bool pool_keep_most_bindable(const struct pool *pool, struct cpu_list *list)
{
    struct cpu_list best = {.bits = {0}};
    bool found = false;
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        struct cpu_list mine = *list;
        if (!is_as_new(worker))
            continue;
        keep_bindable(worker, &mine);
        if (!found || cpu_list_count(&mine) > cpu_list_count(&best))
            best = mine;
        found = true;
    }
    if (found)
        *list = best;
    return found;
}

uint64_t pool_binds_told(const struct pool *pool)
{
    return pool->binds_told;
}

uint64_t pool_spawner(const struct pool *pool)
{
    return pool->spawners;
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
    while (worker != NULL && (worker->load == 0 || !job_kind_equal(&worker->kind, kind) ||
                              !takes_jobs(worker) || ahead_of(worker) == 0))
        worker = worker->next;
    return worker != NULL;
}

static void count_one(const struct worker *worker, struct pool_counts *ret)
{
    if (worker->facts.drain != WORKER_DRAIN_NO)
        ret->leaving += worker->state == WORKER_WANTED || /* it may have one */
                        (worker->state == WORKER_READY && worker->load > 0);
    else if (worker->state == WORKER_WANTED)
        ret->coming++;
    else if (worker->state == WORKER_READY && worker->load == 0 && takes_jobs(worker))
        ret->idle++;
    else if (worker->state == WORKER_READY)
        ret->busy++;
}

void pool_count(const struct pool *pool, struct pool_counts *ret)
{
    *ret = (struct pool_counts){0};
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next)
        count_one(worker, ret);
}

size_t pool_coming(const struct pool *pool)
{
    struct pool_counts counts;
    pool_count(pool, &counts);
    return counts.coming;
}

bool pool_may_make(const struct pool *pool)
{
    return replacement_may(&pool->replacement, pool_coming(pool), clock_monotonic_us());
}

uint64_t pool_longest_idle(const struct pool *pool)
{
    const struct worker *oldest = NULL;
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->load == 0 && takes_jobs(worker) &&
            (oldest == NULL || worker->idle_since < oldest->idle_since))
            oldest = worker;
    }
    return oldest == NULL ? 0 : oldest->id;
}

/* New ones are put in front. */
uint64_t pool_newest_busy(const struct pool *pool)
{
    const struct worker *worker = pool->workers;
    while (worker != NULL && (worker->state != WORKER_READY || worker->load == 0 ||
                              worker->facts.drain != WORKER_DRAIN_NO))
        worker = worker->next;
    return worker == NULL ? 0 : worker->id;
}
