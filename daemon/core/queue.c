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

/* Of a user the first job, and where it stands among those of the other users. Apart from the
 * groups, close together, since a decision looks at all of them. */
struct head {
    struct job *job; /* NULL: none waits */
    struct ready_key key;
    bool overdue;
};

struct queue {
    struct queue_settings settings;
    struct fair_share *share;
    struct group *groups; /* by the user's number in the fair share, as the next two */
    struct head *heads;
    struct ready_table bounds; /* of both sets of the group */
    size_t group_count, waiting_groups;
    /* Nothing that waits was within these limits, nor has come since; or not known. */
    struct ready_limits nothing_within;
    bool nothing_known;
    struct alarms alarms;
    size_t count, overdue;
    uint32_t running;
    bool paused;
    int64_t now; /* of the last advance */
};

/* Where a job stands among the first ones of all users. */
struct place {
    struct head head;
    double usage, held;
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
    for (size_t i = 0; i < queue->group_count; i++) {
        ready_set_done(&queue->groups[i].overdue);
        ready_set_done(&queue->groups[i].ready);
    }
    free(queue->groups);
    free(queue->heads);
    ready_table_done(&queue->bounds);
    alarms_done(&queue->alarms);
    free(queue);
}

const struct queue_settings *queue_settings(const struct queue *queue)
{
    return &queue->settings;
}

static void add_groups(struct queue *queue, size_t count)
{
    queue->groups = xreallocarray(queue->groups, count, sizeof(*queue->groups));
    queue->heads = xreallocarray(queue->heads, count, sizeof(*queue->heads));
    ready_table_grow(&queue->bounds, count);
    for (; queue->group_count < count; queue->group_count++) {
        queue->heads[queue->group_count] = (struct head){.job = NULL};
        queue->groups[queue->group_count] =
            (struct group){.overdue = {.order = READY_BY_WAIT},
                           .ready = {.order = order_of(queue->settings.policy)}};
    }
}

/* The user's number; there is a group of it from now on. */
static size_t user_of(struct queue *queue, uint32_t uid)
{
    size_t user = fair_share_user(queue->share, uid);
    if (user >= queue->group_count)
        add_groups(queue, user + 1);
    return user;
}

static struct group *group_of(struct queue *queue, uint32_t uid)
{
    size_t user = user_of(queue, uid);
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

static struct head head_at(const struct group *group, struct job *job)
{
    bool overdue = job->rank == RANK_OVERDUE;
    enum ready_order order = overdue ? READY_BY_WAIT : group->ready.order;
    return (struct head){job, ready_key(order, job), overdue};
}

static void find_head(struct queue *queue, size_t user)
{
    const struct group *group = &queue->groups[user];
    struct head *head = &queue->heads[user];
    struct job *job = group->overdue.first != NULL ? group->overdue.first : group->ready.first;
    queue->waiting_groups -= head->job != NULL;
    queue->waiting_groups += job != NULL;
    *head = job == NULL ? (struct head){.job = NULL} : head_at(group, job);
}

static void put(struct queue *queue, struct job *job, int64_t now)
{
    size_t user = user_of(queue, job->uid);
    job->rank = rank_at(&queue->settings, job, now) & JOB_LEVEL_MASK;
    job->alarm_at = NO_ALARM;
    queue->overdue += job->rank == RANK_OVERDUE;
    ready_set_insert(set_of(&queue->groups[user], job), job);
    find_head(queue, user);
    ready_table_take(&queue->bounds, user, job->cpus, ready_seconds(job->estimate_us));
    if (queue->nothing_known && ready_fits(job, &queue->nothing_within))
        queue->nothing_known = false;
    int64_t at = next_change(&queue->settings, job);
    if (at != NEVER)
        alarms_set(&queue->alarms, job, at);
}

static void take(struct queue *queue, struct job *job)
{
    size_t user = user_of(queue, job->uid);
    ready_set_remove(set_of(&queue->groups[user], job), job);
    queue->overdue -= job->rank == RANK_OVERDUE;
    find_head(queue, user);
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
    queue->nothing_known = false;
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
    if (queue->settings.per_user > 0)
        queue->nothing_known = false;
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

uint32_t queue_running_of(const struct queue *queue, uint32_t uid)
{
    size_t user = fair_share_user(queue->share, uid);
    return user < queue->group_count ? queue->groups[user].running : 0;
}

bool queue_user_full(const struct queue *queue, uint32_t uid)
{
    size_t user = fair_share_user(queue->share, uid);
    return user < queue->group_count && is_full(queue, &queue->groups[user]);
}

/* ---- what goes first ---- */

static struct place place_of(const struct queue *queue, size_t user, const struct head *head)
{
    struct place place = {.head = *head};
    if (queue->settings.policy == QUEUE_FAIR && !head->overdue) {
        place.usage = fair_share_order(queue->share, user);
        place.held = fair_share_held(queue->share, user);
    }
    return place;
}

static bool stands_before(const struct place *a, const struct place *b)
{
    if (b->head.job == NULL || a->head.overdue != b->head.overdue)
        return b->head.job == NULL || a->head.overdue;
    if (a->usage < b->usage || a->usage > b->usage)
        return a->usage < b->usage;
    if (a->held < b->held || a->held > b->held)
        return a->held < b->held;
    return ready_key_before(&a->head.key, &b->head.key);
}

struct job *queue_first(const struct queue *queue)
{
    struct place best = {.head = {.job = NULL}};
    for (size_t user = 0; user < queue->group_count; user++) {
        if (queue->heads[user].job == NULL || is_full(queue, &queue->groups[user]))
            continue;
        struct place place = place_of(queue, user, &queue->heads[user]);
        if (stands_before(&place, &best))
            best = place;
    }
    return best.head.job;
}

int64_t queue_overdue_at(const struct queue *queue)
{
    const struct job *first = queue->overdue == 0 ? NULL : queue_first(queue);
    return first == NULL || first->rank != RANK_OVERDUE
               ? NEVER
               : first->since + queue->settings.max_delay_us;
}

/* So few are looked at of each user, however many users there are. */
#define LEAST_VISITS 16

static uint64_t visits_of_each(const struct queue *queue, uint64_t depth)
{
    if (depth == 0)
        return UINT64_MAX;
    return queue->waiting_groups * LEAST_VISITS >= depth
               ? LEAST_VISITS
               : depth / (queue->waiting_groups > 0 ? queue->waiting_groups : 1);
}

/* A search that found nothing has mended the sets' bounds. Mostly they say of these limits what
 * they said before; then the table is left as it is. */
static void mend_bounds(struct queue *queue, size_t user, const struct ready_search *search)
{
    const struct group *group = &queue->groups[user];
    const struct ready_bounds *parts[] = {ready_set_bounds(&group->overdue),
                                          ready_set_bounds(&group->ready)};
    struct ready_bounds bounds;
    bool may_hold = false;
    for (size_t i = 0; i < 2; i++)
        may_hold |= parts[i] != NULL && ready_may_hold(parts[i], search);
    if (may_hold)
        return;
    ready_bounds_clear(&bounds);
    for (size_t i = 0; i < 2; i++) {
        if (parts[i] != NULL)
            ready_bounds_merge(&bounds, parts[i]);
    }
    ready_table_set(&queue->bounds, user, &bounds);
}

/* Where the user's jobs that are not overdue begin. */
static struct place ready_place(const struct queue *queue, size_t user)
{
    const struct head nothing = {.job = NULL};
    return place_of(queue, user, &nothing);
}

/* The user's first job that fits. Where only the jobs' keys decide between it and the best so far,
 * one that stands behind that is not searched for. */
static struct job *fitting_of(struct queue *queue, size_t user, const struct ready_search *search,
                              const struct place *best)
{
    const struct group *group = &queue->groups[user];
    const struct place mine = ready_place(queue, user);
    bool alike = best->head.job != NULL && !(mine.usage < best->usage) &&
                 !(mine.usage > best->usage) && !(mine.held < best->held) &&
                 !(mine.held > best->held);
    struct job *job =
        ready_set_fitting(&group->overdue, search, best->head.overdue ? &best->head.key : NULL);
    if (job == NULL && !best->head.overdue)
        job = ready_set_fitting(&group->ready, search, alike ? &best->head.key : NULL);
    if (job == NULL)
        mend_bounds(queue, user, search);
    return job;
}

/* Takes the first of the user's jobs that fits as the best if it stands before the best so far; it
 * is searched for only when the user's first one would. False: not all were looked at. */
static bool search_user(struct queue *queue, size_t user, const struct ready_search *search,
                        struct place *best)
{
    const struct head *head = &queue->heads[user];
    if (head->job == NULL || is_full(queue, &queue->groups[user]))
        return true;
    struct place place = place_of(queue, user, head);
    if (!stands_before(&place, best))
        return true;
    struct job *job = fitting_of(queue, user, search, best);
    if (job == NULL)
        return search->limits->visits > 0;
    struct head found = head_at(&queue->groups[user], job);
    place = place_of(queue, user, &found);
    if (stands_before(&place, best))
        *best = place;
    return true;
}

struct job *queue_fitting(struct queue *queue, struct ready_limits *limits)
{
    struct place best = {.head = {.job = NULL}};
    const struct ready_search search = ready_search_of(limits);
    uint64_t visits = visits_of_each(queue, limits->depth);
    bool all = true;
    if (queue->nothing_known && ready_limits_within(limits, &queue->nothing_within))
        return NULL;
    for (size_t user = ready_table_next(&queue->bounds, &search, 0); user < queue->group_count;
         user = ready_table_next(&queue->bounds, &search, user + 1)) {
        limits->visits = visits;
        all &= search_user(queue, user, &search, &best);
    }
    if (best.head.job == NULL && all) {
        queue->nothing_known = true;
        queue->nothing_within = *limits;
    }
    return best.head.job;
}
