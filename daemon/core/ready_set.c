#include "daemon/core/ready_set.h"

#include "common/clock.h"

#include <assert.h>

uint64_t ready_key(enum ready_order order, const struct job *job)
{
    switch (order) {
    case READY_BY_LEVEL:
        return job->rank;
    case READY_BY_ESTIMATE:
        return (uint64_t)job->estimate_us;
    case READY_BY_WAIT:
        return (uint64_t)job->since ^ (UINT64_C(1) << 63U); /* a time before 1970 stays earlier */
    case READY_BY_SUBMIT:
        break;
    }
    return 0;
}

static bool goes_before(enum ready_order order, const struct job *a, const struct job *b)
{
    uint64_t first = ready_key(order, a);
    uint64_t second = ready_key(order, b);
    return first != second ? first < second : a->id < b->id;
}

/* The treap's random priority: a mix of the id (SplitMix64, Steele et al. 2014), so that equal sets
 * have equal trees and nothing is stored. */
static uint64_t weight(const struct job *job)
{
    uint64_t mix = job->id + UINT64_C(0x9e3779b97f4a7c15);
    mix = (mix ^ mix >> 30U) * UINT64_C(0xbf58476d1ce4e5b9);
    mix = (mix ^ mix >> 27U) * UINT64_C(0x94d049bb133111eb);
    return mix ^ mix >> 31U;
}

static uint32_t whole_seconds(int64_t us)
{
    int64_t seconds = us / US_PER_SECOND;
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static void take_least(struct job *job, const struct job *child)
{
    if (child == NULL)
        return;
    if (child->least_cpus < job->least_cpus)
        job->least_cpus = child->least_cpus;
    if (child->least_estimate_s < job->least_estimate_s)
        job->least_estimate_s = child->least_estimate_s;
}

static void take_own(struct job *job)
{
    job->least_cpus = job->cpus;
    job->least_estimate_s = whole_seconds(job->estimate_us);
}

/* The bounds exactly. Where nodes only went away they are left as they were: they still bound from
 * below, and reading both children of each node on the way costs more than all else. A search that
 * finds nothing mends what it saw. */
static void update(struct job *job)
{
    take_own(job);
    take_least(job, job->left);
    take_least(job, job->right);
}

/* Into those that go before `pivot` and the rest. Depth: that of the tree, about 2 ln n. */
static void split(enum ready_order order, struct job *tree, const struct job *pivot,
                  struct job **ret_before, struct job **ret_after)
{
    if (tree == NULL) {
        *ret_before = *ret_after = NULL;
        return;
    }
    if (goes_before(order, tree, pivot)) {
        split(order, tree->right, pivot, &tree->right, ret_after);
        *ret_before = tree;
    } else {
        split(order, tree->left, pivot, ret_before, &tree->left);
        *ret_after = tree;
    }
}

/* All of `before` go before all of `after`. */
static struct job *merge(struct job *before, struct job *after)
{
    if (before == NULL || after == NULL)
        return before == NULL ? after : before;
    if (weight(before) > weight(after)) {
        take_least(before, after);
        before->right = merge(before->right, after);
        return before;
    }
    take_least(after, before);
    after->left = merge(before, after->left);
    return after;
}

static struct job *insert(enum ready_order order, struct job *tree, struct job *job)
{
    if (tree == NULL || weight(job) > weight(tree)) {
        split(order, tree, job, &job->left, &job->right);
        update(job);
        return job;
    }
    take_least(tree, job);
    if (goes_before(order, tree, job))
        tree->right = insert(order, tree->right, job);
    else
        tree->left = insert(order, tree->left, job);
    return tree;
}

static struct job *without(enum ready_order order, struct job *tree, struct job *job)
{
    assert(tree != NULL);
    if (tree == job)
        return merge(job->left, job->right);
    if (goes_before(order, tree, job))
        tree->right = without(order, tree->right, job);
    else
        tree->left = without(order, tree->left, job);
    return tree;
}

static void find_first(struct ready_set *set)
{
    set->first = set->root;
    while (set->first != NULL && set->first->left != NULL)
        set->first = set->first->left;
}

void ready_set_insert(struct ready_set *set, struct job *job)
{
    job->left = job->right = NULL;
    take_own(job);
    set->root = insert(set->order, set->root, job);
    set->count++;
    if (set->first == NULL || goes_before(set->order, job, set->first))
        set->first = job;
}

void ready_set_remove(struct ready_set *set, struct job *job)
{
    set->root = without(set->order, set->root, job);
    set->count--;
    if (set->first == job)
        find_first(set);
}

bool ready_fits(const struct job *job, const struct ready_limits *limits)
{
    if (job->cpus > limits->free.amount[RESOURCE_CPUS])
        return false;
    const struct resources *wanted = request_table_at(limits->requests, job->request);
    return resources_fit(wanted, &limits->free) &&
           (job->estimate_us <= limits->window_us || resources_fit(wanted, &limits->left_over));
}

/* Whether some job below may be within the limits: false is certain. */
static bool may_hold(const struct job *tree, const struct ready_limits *limits)
{
    return tree->least_cpus <= limits->free.amount[RESOURCE_CPUS] &&
           (tree->least_estimate_s <= whole_seconds(limits->window_us) ||
            tree->least_cpus <= limits->left_over.amount[RESOURCE_CPUS]);
}

static struct job *fitting(struct job *tree, struct ready_limits *limits)
{
    if (tree == NULL || limits->visits == 0 || !may_hold(tree, limits))
        return NULL;
    limits->visits--;
    struct job *found = fitting(tree->left, limits);
    if (found == NULL && ready_fits(tree, limits))
        found = tree;
    if (found == NULL)
        found = fitting(tree->right, limits);
    if (found == NULL)
        update(tree);
    return found;
}

struct job *ready_set_fitting(const struct ready_set *set, struct ready_limits *limits)
{
    return fitting(set->root, limits);
}

static void walk(struct job *tree, void (*visit)(struct job *job, void *arg), void *arg)
{
    if (tree == NULL)
        return;
    walk(tree->left, visit, arg);
    visit(tree, arg);
    walk(tree->right, visit, arg);
}

void ready_set_walk(const struct ready_set *set, void (*visit)(struct job *job, void *arg),
                    void *arg)
{
    walk(set->root, visit, arg);
}
