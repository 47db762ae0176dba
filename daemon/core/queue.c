#include "daemon/core/queue.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "daemon/core/alarms.h"
#include "daemon/core/running_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A clock that was put back by more than this makes ages wrong that are looked at in intervals of
 * seconds and more. */
#define CLOCK_STEP_US US_PER_SECOND

/* One user's waiting jobs. Stays when they are gone: users are few. */
struct group {
    struct ready_set overdue, ready;
    uint32_t running;
};

struct queue {
    struct queue_settings settings;
    struct fair_share *share;
    struct group *groups; /* by the user's number in the fair share */
    size_t group_count;
    struct alarms alarms;
    size_t count;
    uint32_t running;
    bool paused;
    int64_t now; /* of the last advance */
};

/* Where a job stands among the first ones of all users. */
struct place {
    struct job *job;
    bool overdue;
    double usage, held;
    uint64_t key;
};

static enum ready_order order_of(enum queue_policy policy)
{
    static const enum ready_order orders[] = {
        [QUEUE_FIFO] = READY_BY_SUBMIT,
        [QUEUE_PRIORITY] = READY_BY_LEVEL,
        [QUEUE_SJF] = READY_BY_ESTIMATE,
        [QUEUE_FAIR] = READY_BY_LEVEL,
    };
    return orders[policy];
}

struct queue *queue_new(const struct queue_settings *settings, struct fair_share *share)
{
    struct queue *queue = xcalloc(1, sizeof(*queue));
    queue->settings = *settings;
    queue->share = share;
    queue->now = INT64_MIN + CLOCK_STEP_US;
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    free(queue->groups);
    alarms_done(&queue->alarms);
    free(queue);
}

const struct queue_settings *queue_settings(const struct queue *queue)
{
    return &queue->settings;
}

static struct group *group_of(struct queue *queue, uint32_t uid)
{
    size_t user = fair_share_user(queue->share, uid);
    if (user >= queue->group_count) {
        queue->groups = xreallocarray(queue->groups, user + 1, sizeof(*queue->groups));
        for (; queue->group_count <= user; queue->group_count++)
            queue->groups[queue->group_count] =
                (struct group){.overdue = {.order = READY_BY_WAIT},
                               .ready = {.order = order_of(queue->settings.policy)}};
    }
    return &queue->groups[user];
}

/* ---- how long it has waited ---- */

static bool is_overdue(const struct queue_settings *settings, int64_t waited)
{
    return settings->max_delay_us > 0 && waited >= settings->max_delay_us;
}

/* Ageing is what `priority` does; `fair` orders the jobs of one user by the level they were given.
 */
static bool ages(const struct queue_settings *settings)
{
    return settings->policy == QUEUE_PRIORITY && settings->ageing_us > 0;
}

static uint8_t rank_at(const struct queue_settings *settings, const struct job *job, int64_t now)
{
    int64_t waited = now > job->since ? now - job->since : 0;
    if (is_overdue(settings, waited))
        return RANK_OVERDUE;
    if (!ages(settings))
        return job->level;
    int64_t lifts = waited / settings->ageing_us;
    return lifts >= job->level ? 0 : (uint8_t)(job->level - lifts);
}

static int64_t next_change(const struct queue_settings *settings, const struct job *job)
{
    int64_t at = NEVER;
    if (job->rank == RANK_OVERDUE)
        return at;
    if (ages(settings) && job->rank > 0)
        at = job->since + (job->level - job->rank + 1) * settings->ageing_us;
    if (settings->max_delay_us > 0 && job->since + settings->max_delay_us < at)
        at = job->since + settings->max_delay_us;
    return at;
}

/* ---- in and out ---- */

static struct ready_set *set_of(struct group *group, const struct job *job)
{
    return job->rank == RANK_OVERDUE ? &group->overdue : &group->ready;
}

static void put(struct queue *queue, struct job *job, int64_t now)
{
    job->rank = rank_at(&queue->settings, job, now) & JOB_LEVEL_MASK;
    job->alarm_at = NO_ALARM;
    ready_set_insert(set_of(group_of(queue, job->uid), job), job);
    int64_t at = next_change(&queue->settings, job);
    if (at != NEVER)
        alarms_set(&queue->alarms, job, at);
}

static void take(struct queue *queue, struct job *job)
{
    ready_set_remove(set_of(group_of(queue, job->uid), job), job);
    alarms_clear(&queue->alarms, job);
}

void queue_add(struct queue *queue, struct job *job, int64_t now)
{
    if (job->since > now) /* the clock was put back */
        job->since = now;
    put(queue, job, now);
    queue->count++;
}

void queue_remove(struct queue *queue, struct job *job)
{
    take(queue, job);
    queue->count--;
}

size_t queue_count(const struct queue *queue)
{
    return queue->count;
}

static void collect(struct job *job, void *arg)
{
    struct job ***next = arg;
    *(*next)++ = job;
}

static void put_back(struct queue *queue, struct job *job, int64_t now)
{
    if (job->since > now)
        job->since = now;
    put(queue, job, now);
}

/* Puts everything in its place anew, by these settings. */
static void rebuild(struct queue *queue, const struct queue_settings *settings, int64_t now)
{
    struct job **jobs = xreallocarray(NULL, queue->count + 1, sizeof(struct job *));
    struct job **next = jobs;
    for (size_t i = 0; i < queue->group_count; i++) {
        ready_set_walk(&queue->groups[i].overdue, collect, &next);
        ready_set_walk(&queue->groups[i].ready, collect, &next);
    }
    for (size_t i = 0; i < queue->count; i++)
        take(queue, jobs[i]);
    queue->settings = *settings;
    for (size_t i = 0; i < queue->group_count; i++)
        queue->groups[i].ready.order = order_of(settings->policy);
    for (size_t i = 0; i < queue->count; i++)
        put_back(queue, jobs[i], now);
    free(jobs);
}

/* Only these decide where a job stands and when that changes. */
static bool same_order(const struct queue_settings *a, const struct queue_settings *b)
{
    return a->policy == b->policy && a->ageing_us == b->ageing_us &&
           a->max_delay_us == b->max_delay_us;
}

void queue_change(struct queue *queue, const struct queue_settings *settings, int64_t now)
{
    if (same_order(&queue->settings, settings))
        queue->settings = *settings;
    else
        rebuild(queue, settings, now);
}

void queue_pause(struct queue *queue, bool paused)
{
    queue->paused = paused;
}

bool queue_paused(const struct queue *queue)
{
    return queue->paused;
}

void queue_advance(struct queue *queue, int64_t now)
{
    const struct alarm *alarm;
    fair_share_advance(queue->share, now);
    if (now < queue->now - CLOCK_STEP_US)
        rebuild(queue, &queue->settings, now);
    queue->now = now;
    while ((alarm = alarms_first(&queue->alarms)) != NULL && alarm->at <= now) {
        struct job *job = alarm->job;
        take(queue, job);
        put(queue, job, now);
    }
}

int64_t queue_next_alarm(const struct queue *queue)
{
    const struct alarm *alarm = alarms_first(&queue->alarms);
    return alarm == NULL ? NEVER : alarm->at;
}

/* ---- limits ---- */

void queue_run(struct queue *queue, uint32_t uid)
{
    group_of(queue, uid)->running++;
    queue->running++;
}

void queue_end(struct queue *queue, uint32_t uid)
{
    struct group *group = group_of(queue, uid);
    assert(group->running > 0);
    group->running--;
    queue->running--;
}

uint32_t queue_running(const struct queue *queue)
{
    return queue->running;
}

uint32_t queue_room(const struct queue *queue)
{
    if (queue->paused)
        return 0;
    if (queue->settings.slots == 0)
        return UINT32_MAX;
    return queue->settings.slots > queue->running ? queue->settings.slots - queue->running : 0;
}

static bool is_full(const struct queue *queue, const struct group *group)
{
    return queue->settings.per_user > 0 && group->running >= queue->settings.per_user;
}

bool queue_user_full(const struct queue *queue, uint32_t uid)
{
    size_t user = fair_share_user(queue->share, uid);
    return user < queue->group_count && is_full(queue, &queue->groups[user]);
}

/* ---- what goes first ---- */

static struct place place_of(const struct queue *queue, const struct group *group, struct job *job)
{
    struct place place = {.job = job, .overdue = job->rank == RANK_OVERDUE};
    if (place.overdue) {
        place.key = ready_key(READY_BY_WAIT, job);
        return place;
    }
    place.key = ready_key(group->ready.order, job);
    if (queue->settings.policy == QUEUE_FAIR) {
        size_t user = (size_t)(group - queue->groups);
        place.usage = fair_share_order(queue->share, user);
        place.held = fair_share_held(queue->share, user);
    }
    return place;
}

static bool stands_before(const struct place *a, const struct place *b)
{
    if (b->job == NULL || a->overdue != b->overdue)
        return b->job == NULL || a->overdue;
    if (a->usage < b->usage || a->usage > b->usage)
        return a->usage < b->usage;
    if (a->held < b->held || a->held > b->held)
        return a->held < b->held;
    return a->key != b->key ? a->key < b->key : a->job->id < b->job->id;
}

/* The group's first, NULL when none of it may start. */
static struct job *head_of(const struct queue *queue, const struct group *group)
{
    if (is_full(queue, group))
        return NULL;
    return group->overdue.first != NULL ? group->overdue.first : group->ready.first;
}

/* Takes the group's job as the best if it stands before the best so far. */
static void consider(const struct queue *queue, const struct group *group, struct job *job,
                     struct place *best)
{
    struct place place = place_of(queue, group, job);
    if (stands_before(&place, best))
        *best = place;
}

struct job *queue_first(const struct queue *queue)
{
    struct place best = {0};
    for (size_t i = 0; i < queue->group_count; i++) {
        struct job *head = head_of(queue, &queue->groups[i]);
        if (head != NULL)
            consider(queue, &queue->groups[i], head, &best);
    }
    return best.job;
}

static struct job *fitting_of(const struct group *group, struct ready_limits *limits)
{
    struct job *job = ready_set_fitting(&group->overdue, limits);
    return job != NULL ? job : ready_set_fitting(&group->ready, limits);
}

/* So few are looked at of each user, however many users there are. */
#define LEAST_VISITS 16

static uint64_t visits_of_each(const struct queue *queue, uint64_t depth)
{
    size_t waiting = 0;
    if (depth == 0)
        return UINT64_MAX;
    for (size_t i = 0; i < queue->group_count; i++)
        waiting += head_of(queue, &queue->groups[i]) != NULL;
    return waiting * LEAST_VISITS >= depth ? LEAST_VISITS : depth / (waiting > 0 ? waiting : 1);
}

/* A user is searched only when the user's first job would stand before the best so far. */
struct job *queue_fitting(const struct queue *queue, struct ready_limits *limits)
{
    struct place best = {0};
    uint64_t visits = visits_of_each(queue, limits->depth);
    for (size_t i = 0; i < queue->group_count; i++) {
        const struct group *group = &queue->groups[i];
        struct job *head = head_of(queue, group);
        limits->visits = visits;
        if (head == NULL)
            continue;
        struct place place = place_of(queue, group, head);
        struct job *job = stands_before(&place, &best) ? fitting_of(group, limits) : NULL;
        if (job != NULL)
            consider(queue, group, job, &best);
    }
    return best.job;
}
