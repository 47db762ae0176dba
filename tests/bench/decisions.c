/* What one decision of the scheduler costs, with so many jobs waiting all the time:
 *   decisions POLICY JOBS USERS N    a round begins, what starts next is found, counted as running
 * and moved out of its queue; it ends and a new job comes decisions blocked JOBS USERS N   a round
 * in which nothing can start: there are processors, but no memory, and easy backfill looks for one
 * that may pass, as deep as in the daemon The jobs are in the daemon's own jobset. Prints how many
 * of N a second, then the p99 of one in nanoseconds. */
#include "common/alloc.h"
#include "common/clock.h"
#include "daemon/core/jobset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEVELS 5
#define BACKFILL_DEPTH 1000 /* as in engine_settings.c */

struct bench {
    struct scheduler *scheduler;
    struct jobset *jobs;
    uint64_t users, next_id;
    uint64_t memory; /* that each job asks for */
    unsigned seed;
};

static int64_t nanoseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void submit(struct bench *bench, int64_t now)
{
    const struct resources wanted = {
        .amount = {[RESOURCE_CPUS] = 1, [RESOURCE_MEMORY] = bench->memory}};
    const struct job job = {.id = ++bench->next_id,
                            .since = now,
                            .estimate_us = (1 + rand_r(&bench->seed) % 3600) * US_PER_SECOND,
                            .uid = (uint32_t)((uint64_t)rand_r(&bench->seed) % bench->users),
                            .level = (unsigned)rand_r(&bench->seed) % LEVELS & JOB_LEVEL_MASK};
    (void)jobset_add(bench->jobs, &job, &wanted, JOBSET_PLAIN, JOB_STATE_PENDING, now);
}

/* A millisecond passes between two. Returns what the decision itself took. */
static int64_t decide(struct bench *bench, int64_t now)
{
    int64_t start = nanoseconds();
    scheduler_begin(bench->scheduler, now);
    struct job *job = scheduler_next(bench->scheduler);
    uint64_t run = scheduler_run(bench->scheduler, job, now);
    (void)jobset_move(bench->jobs, job, JOB_EVENT_ASSIGN, now);
    int64_t took = nanoseconds() - start;
    now += US_PER_MS / 2;
    scheduler_end(bench->scheduler, run, now);
    (void)jobset_move(bench->jobs, job, JOB_EVENT_GO, now);
    (void)jobset_move(bench->jobs, job, JOB_EVENT_SUCCEED, now);
    jobset_remove(bench->jobs, job);
    submit(bench, now);
    return took;
}

/* The one that runs never ends. */
static int64_t look(struct bench *bench, int64_t now)
{
    int64_t start = nanoseconds();
    scheduler_begin(bench->scheduler, now);
    struct job *job = scheduler_next(bench->scheduler);
    int64_t took = nanoseconds() - start;
    if (job != NULL)
        abort();
    return took;
}

static void start_first(struct bench *bench)
{
    scheduler_begin(bench->scheduler, 0);
    struct job *first = scheduler_next(bench->scheduler);
    (void)scheduler_run(bench->scheduler, first, 0);
    (void)jobset_move(bench->jobs, first, JOB_EVENT_ASSIGN, 0);
}

static int by_value(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

int main(int argc, char **argv)
{
    enum queue_policy policy = QUEUE_PRIORITY;
    bool blocked = argc == 5 && strcmp(argv[1], "blocked") == 0;
    if (argc != 5 || (!blocked && queue_policy_parse(argv[1], &policy) < 0))
        return 2;
    size_t count = strtoul(argv[2], NULL, 10);
    size_t decisions = strtoul(argv[4], NULL, 10);
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = blocked ? 16 : 1, [RESOURCE_MEMORY] = 64}},
        .queue = {.policy = policy,
                  .backfill = blocked ? QUEUE_BACKFILL_EASY : QUEUE_BACKFILL_NONE},
        .half_life_us = 604800 * US_PER_SECOND,
        .backfill_depth = BACKFILL_DEPTH};
    struct scheduler *scheduler = scheduler_new(&options);
    struct bench bench = {.scheduler = scheduler,
                          .jobs = jobset_new(scheduler),
                          .users = strtoul(argv[3], NULL, 10),
                          .memory = blocked ? 40 : 0,
                          .seed = 1};
    int64_t *took = xcalloc(decisions, sizeof(*took));
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        submit(&bench, 0);
    if (blocked)
        start_first(&bench);
    for (size_t i = 0; i < decisions; i++) {
        took[i] = (blocked ? look : decide)(&bench, (int64_t)(i + 1) * US_PER_MS);
        sum += took[i];
    }
    qsort(took, decisions, sizeof(*took), by_value);
    printf("%.0f %lld\n", (double)decisions * 1e9 / (double)sum,
           (long long)took[decisions * 99 / 100]);
    jobset_free(bench.jobs);
    scheduler_free(scheduler);
    free(took);
    return 0;
}
