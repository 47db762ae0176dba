/* A naive model of the scheduler: a plain list that is searched for each question. What waits, what
 * runs and how queues are set is written into it by test_scheduler_model.c; here is what it says
 * comes next. */
#ifndef BATCHD_TESTS_UNIT_SCHEDULER_MODEL_H
#define BATCHD_TESTS_UNIT_SCHEDULER_MODEL_H

#include "tests/unit/scheduler_steps.h"

#include "daemon/core/jobset.h"

#include <check.h>
#include <math.h>

enum {
    JOBS = 120,
    SETTINGS = 16,
    STEPS = 100000 / SETTINGS,
    USERS = 5,
    QUEUES = 4,
    CPUS = 24,
    MEMORY = 100,
    ENDED = STEPS
};
#define HALF_LIFE_S 1000.0

struct model_job {
    uint64_t id, run;
    uint32_t uid;
    uint8_t queue, level;
    int64_t since, estimate_us, begin_at, started_at, ends_at;
    struct resources wanted;
    enum { ABSENT, WAITING, RUNNING } state;
    bool held, later;
    struct job *sched;
};

/* A past run, as the store knows it. */
struct ended {
    uint32_t uid;
    struct resources held;
    int64_t from, to;
};

struct model_queue {
    bool exists, paused;
    struct queue_settings settings;
    bool closed, blocked; /* in this round */
    uint64_t served;
};

struct model {
    struct model_job jobs[JOBS];
    struct model_queue queues[QUEUES];
    unsigned lanes; /* numbers given so far */
    double usage[USERS], charged[USERS];
    struct ended ended[ENDED];
    size_t ended_count, restarts, changes;
    struct scheduler *scheduler;
    struct jobset *set;
    uint64_t next_id;
    int64_t now;
    struct model_queue *owed; /* the last that was reserved for, if it has not started its first */
    struct model_job *owed_job; /* that, while it has this id and waits there */
    uint64_t owed_id;
    /* The round. */
    struct model_job *reserved;
    int64_t window, reserved_at;
    struct resources left_over;
};

static inline struct resources amounts(uint64_t cpus, uint64_t memory)
{
    return (struct resources){.amount = {[RESOURCE_CPUS] = cpus, [RESOURCE_MEMORY] = memory}};
}

static inline bool fits(const struct resources *wanted, const struct resources *there)
{
    return wanted->amount[RESOURCE_CPUS] <= there->amount[RESOURCE_CPUS] &&
           wanted->amount[RESOURCE_MEMORY] <= there->amount[RESOURCE_MEMORY];
}

static inline double share_of(const struct resources *wanted)
{
    return fmax((double)wanted->amount[RESOURCE_CPUS] / CPUS,
                (double)wanted->amount[RESOURCE_MEMORY] / MEMORY);
}

/* What is not held by those that run and do not end before `from` and by `to`. */
static inline struct resources model_free(const struct model *model, int64_t from, int64_t to)
{
    struct resources there = amounts(CPUS, MEMORY);
    for (int i = 0; i < JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state == RUNNING && (job->ends_at < from || job->ends_at > to)) {
            ck_assert(fits(&job->wanted, &there)); /* nothing is promised twice */
            resources_take(&there, &job->wanted);
        }
    }
    return there;
}

static inline struct resources free_now(const struct model *model)
{
    return model_free(model, INT64_MAX, INT64_MIN);
}

static inline unsigned running_in(const struct model *model, uint8_t queue, uint32_t uid,
                                  bool of_all)
{
    unsigned count = 0;
    for (int i = 0; i < JOBS; i++)
        count += model->jobs[i].state == RUNNING && model->jobs[i].queue == queue &&
                 (of_all || model->jobs[i].uid == uid);
    return count;
}

/* ---- order ---- */

static inline int64_t delay_of(const struct model *model, const struct model_job *job)
{
    return model->now - job->since;
}

static inline bool late(const struct model *model, const struct model_job *job)
{
    int64_t bound = model->queues[job->queue].settings.max_delay_us;
    return bound > 0 && delay_of(model, job) >= bound;
}

static inline int level_now(const struct model *model, const struct model_job *job)
{
    const struct queue_settings *settings = &model->queues[job->queue].settings;
    if (settings->policy != QUEUE_PRIORITY || settings->ageing_us == 0)
        return job->level;
    int64_t level = job->level - delay_of(model, job) / settings->ageing_us;
    return level < 0 ? 0 : (int)level;
}

static inline double held_by(const struct model *model, uint32_t uid)
{
    double held = 0;
    for (int i = 0; i < JOBS; i++) {
        if (model->jobs[i].state == RUNNING && model->jobs[i].uid == uid)
            held += share_of(&model->jobs[i].wanted);
    }
    return held;
}

/* Where both sums are the same but for rounding, the scheduler's own say which it takes for less.
 */
static inline int compare_numbers(double a, double b, double theirs_a, double theirs_b)
{
    if (fabs(a - b) > 1e-9 * fmax(fabs(a), fabs(b)))
        return a < b ? -1 : 1;
    return (theirs_a > theirs_b) - (theirs_a < theirs_b);
}

static inline int compare_users(const struct model *model, uint32_t a, uint32_t b)
{
    struct fair_share *share = scheduler_share(model->scheduler);
    size_t first = fair_share_user(share, a);
    size_t second = fair_share_user(share, b);
    int result = compare_numbers(model->usage[a], model->usage[b], fair_share_order(share, first),
                                 fair_share_order(share, second));
    return result != 0
               ? result
               : compare_numbers(held_by(model, a), held_by(model, b),
                                 fair_share_held(share, first), fair_share_held(share, second));
}

static inline bool goes_first(const struct model *model, const struct model_job *a,
                              const struct model_job *b)
{
    enum queue_policy policy = model->queues[a->queue].settings.policy;
    int result = 0;
    if (late(model, a) || late(model, b)) {
        if (late(model, a) != late(model, b))
            return late(model, a);
        return a->since != b->since ? a->since < b->since : a->id < b->id;
    }
    if (policy == QUEUE_SJF)
        result = (a->estimate_us > b->estimate_us) - (a->estimate_us < b->estimate_us);
    if (policy == QUEUE_FAIR)
        result = compare_users(model, a->uid, b->uid);
    if (result == 0 && (policy == QUEUE_FAIR || policy == QUEUE_PRIORITY))
        result = level_now(model, a) - level_now(model, b);
    return result != 0 ? result < 0 : a->id < b->id;
}

/* ---- a round ---- */

static inline bool may_pass(const struct model *model, const struct model_job *job)
{
    return model->reserved == NULL || job->estimate_us <= model->window ||
           fits(&job->wanted, &model->left_over);
}

static inline bool may_wait_in(const struct model_job *job, uint8_t queue)
{
    return job->state == WAITING && job->queue == queue && !job->held && !job->later;
}

/* The queue's first; or the first that may start now. Users at their limit are passed over. */
static inline struct model_job *model_first(struct model *model, uint8_t queue, bool that_fits)
{
    struct model_job *best = NULL;
    uint32_t limit = model->queues[queue].settings.per_user;
    struct resources there = free_now(model);
    for (int i = 0; i < JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        if (!may_wait_in(job, queue))
            continue;
        if (limit > 0 && running_in(model, queue, job->uid, false) >= limit)
            continue;
        if (that_fits && !(fits(&job->wanted, &there) && may_pass(model, job)))
            continue;
        if (best == NULL || goes_first(model, job, best))
            best = job;
    }
    return best;
}

/* Of the late and the unknown the one that comes first after `last`: by its end, then its number.
 */
static inline const struct model_job *next_unknown(const struct model *model,
                                                   const struct model_job *last)
{
    const struct model_job *found = NULL;
    for (int i = 0; i < JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state != RUNNING || (job->ends_at >= model->now && job->ends_at != NEVER))
            continue;
        bool behind = last == NULL || job->ends_at > last->ends_at ||
                      (job->ends_at == last->ends_at && job->run > last->run);
        bool before = found == NULL || job->ends_at < found->ends_at ||
                      (job->ends_at == found->ends_at && job->run < found->run);
        if (behind && before)
            found = job;
    }
    return found;
}

/* The next known end after `at`, or NEVER. */
static inline int64_t next_end(const struct model *model, int64_t at)
{
    int64_t next = NEVER;
    for (int i = 0; i < JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state == RUNNING && job->ends_at > at && job->ends_at < next)
            next = job->ends_at;
    }
    return next;
}

/* At the earliest time at which it fits, and what is free then beside it. */
static inline void model_reserve(struct model *model, struct model_job *wanted)
{
    struct resources there = amounts(0, 0);
    int64_t at = model->now - 1;
    model->reserved = wanted;
    while (!fits(&wanted->wanted, &there) && (at = next_end(model, at)) != NEVER)
        there = model_free(model, model->now, at);
    if (at == NEVER) {
        there = model_free(model, model->now, NEVER - 1);
        for (const struct model_job *job = NULL; !fits(&wanted->wanted, &there);) {
            job = next_unknown(model, job);
            ck_assert_ptr_nonnull(job);
            resources_add(&there, &job->wanted);
        }
    }
    resources_take(&there, &wanted->wanted);
    model->left_over = there;
    model->reserved_at = at;
    model->window = at == NEVER ? 0 : at - model->now;
}

/* When the queue's first became late, or NEVER. */
static inline int64_t late_since(struct model *model, uint8_t queue)
{
    const struct model_job *first =
        model->queues[queue].blocked ? NULL : model_first(model, queue, false);
    return first == NULL || !late(model, first)
               ? NEVER
               : first->since + model->queues[queue].settings.max_delay_us;
}

/* The queue that is owed its turn: what was reserved for still waits. */
static inline struct model_queue *model_owed(const struct model *model)
{
    return model->owed != NULL && model->owed_job->id == model->owed_id &&
                   may_wait_in(model->owed_job, (uint8_t)(model->owed - model->queues))
               ? model->owed
               : NULL;
}

/* Of those that have room and are not done the one whose first is late for longest, else that which
 * is owed, else that with the least running for its weight, among equals the least served, among
 * equals the first. */
static inline struct model_queue *turn_of(struct model *model, uint8_t *ret_number)
{
    struct model_queue *best = NULL;
    double least = HUGE_VAL;
    int64_t first_due = NEVER;
    for (uint8_t i = 0; i < QUEUES; i++) {
        struct model_queue *queue = &model->queues[i];
        unsigned running = running_in(model, i, 0, true);
        if (!queue->exists || queue->paused || queue->closed ||
            (queue->settings.slots > 0 && running >= queue->settings.slots))
            continue;
        double load = running / fmax(queue->settings.weight, 1);
        int64_t due = late_since(model, i);
        if (queue == model_owed(model) && !queue->blocked)
            load = -1;
        if (best == NULL || due < first_due ||
            (due == first_due &&
             (load < least || (load == least && queue->served < best->served)))) {
            best = queue;
            least = load;
            first_due = due;
            *ret_number = i;
        }
    }
    return best;
}

static inline unsigned waiting_in(const struct model *model, uint8_t queue)
{
    unsigned count = 0;
    for (int i = 0; i < JOBS; i++)
        count += may_wait_in(&model->jobs[i], queue);
    return count;
}

#define TURN (UINT64_C(1) << 20U)

static inline void model_stay_near(struct model_queue *queue, uint64_t served)
{
    if (served > 2 * TURN && queue->served < served - 2 * TURN)
        queue->served = served - 2 * TURN;
}

/* It has something to start again. */
static inline void model_catch_up(struct model *model, uint8_t back)
{
    for (uint8_t i = 0; i < QUEUES; i++) {
        if (model->queues[i].exists)
            model_stay_near(&model->queues[back], model->queues[i].served);
    }
}

/* One of its jobs starts, and still waits. */
static inline void model_serve(struct model *model, uint8_t number)
{
    struct model_queue *served = &model->queues[number];
    served->served += TURN / (uint64_t)fmax(served->settings.weight, 1);
    for (uint8_t i = 0; i < QUEUES; i++) {
        if (model->queues[i].exists && !model->queues[i].paused && waiting_in(model, i) > 0)
            model_stay_near(&model->queues[i], served->served);
    }
}

/* The job came into its queue. */
static inline void model_came(struct model *model, const struct model_job *job)
{
    if (may_wait_in(job, job->queue) && waiting_in(model, job->queue) == 1)
        model_catch_up(model, job->queue);
}

static inline struct model_job *model_next(struct model *model)
{
    struct model_queue *queue;
    uint8_t number = 0;
    while ((queue = turn_of(model, &number)) != NULL) {
        bool passes = queue->settings.backfill == QUEUE_BACKFILL_EASY;
        struct model_job *first = queue->blocked ? NULL : model_first(model, number, false);
        struct resources there = free_now(model);
        if (first != NULL && fits(&first->wanted, &there) && may_pass(model, first)) {
            model->owed = model->owed == queue ? NULL : model->owed;
            return first;
        }
        queue->blocked |= first != NULL;
        if (first != NULL && model->reserved == NULL && (passes || model->lanes > 1)) {
            model_reserve(model, first);
            model->owed = queue;
            model->owed_job = first;
            model->owed_id = first->id;
        }
        struct resources left_over = model->left_over;
        if (queue != model->owed)
            model->left_over = amounts(0, 0);
        first = queue->blocked && passes ? model_first(model, number, true) : NULL;
        model->left_over = left_over;
        if (first != NULL)
            return first;
        queue->closed = true;
    }
    return NULL;
}

#endif
