#include "daemon/core/ready_set.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A leaf is 944 bytes, which malloc keeps at hand; 48 jobs cost 20 bytes each when it is full, 39
 * when it was just split in two. A set of few jobs has a smaller leaf. */
#define LEAF_ROOM 48U
#define LEAF_ROOM_AT_FIRST 3U
#define LEAF_THIN (LEAF_ROOM / 4) /* it moves into the leaf before it */
#define INNER_ROOM 32U

struct ready_node {
    /* Where jobs only went away they are left as they were: they still bound from below. A search
     * that finds nothing mends what it saw. */
    struct ready_bounds bounds;
    uint16_t count, room;
    bool is_leaf;
    bool stale; /* a job went away */
};

struct entry {
    struct job *job;
    uint32_t cpus, estimate_s;
};

struct leaf {
    struct ready_node node;
    struct entry entries[]; /* in order */
};

struct child {
    struct ready_node *node;
    struct ready_key from; /* nothing in it is before; of the first child it says nothing */
};

struct inner {
    struct ready_node node;
    struct child children[INNER_ROOM];
};

static struct leaf *as_leaf(struct ready_node *node)
{
    return (struct leaf *)node;
}

static struct inner *as_inner(struct ready_node *node)
{
    return (struct inner *)node;
}

/* ---- order ---- */

static uint64_t first_key(enum ready_order order, const struct job *job)
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

struct ready_key ready_key(enum ready_order order, const struct job *job)
{
    return (struct ready_key){first_key(order, job), job->id};
}

/* ---- bounds ---- */

static void take_entry(struct ready_node *node, const struct entry *entry)
{
    ready_bounds_take(&node->bounds, entry->cpus, entry->estimate_s);
}

static void update(struct ready_node *node)
{
    ready_bounds_clear(&node->bounds);
    node->stale = false;
    for (unsigned i = 0; i < node->count; i++) {
        if (node->is_leaf)
            take_entry(node, &as_leaf(node)->entries[i]);
        else
            ready_bounds_merge(&node->bounds, &as_inner(node)->children[i].node->bounds);
    }
}

/* ---- nodes ---- */

static struct leaf *leaf_resized(struct leaf *leaf, unsigned room)
{
    struct leaf *resized = xreallocarray(leaf, 1, sizeof(*leaf) + room * sizeof(struct entry));
    if (leaf == NULL) {
        resized->node = (struct ready_node){.is_leaf = true};
        ready_bounds_clear(&resized->node.bounds);
    }
    resized->node.room = (uint16_t)room;
    return resized;
}

static struct inner *inner_new(void)
{
    struct inner *inner = xcalloc(1, sizeof(*inner));
    inner->node.room = INNER_ROOM;
    return inner;
}

static void free_node(struct ready_node *node)
{
    if (node == NULL)
        return;
    for (unsigned i = 0; !node->is_leaf && i < node->count; i++)
        free_node(as_inner(node)->children[i].node);
    free(node);
}

void ready_set_done(struct ready_set *set)
{
    free_node(set->root);
    *set = (struct ready_set){.order = set->order};
}

/* ---- insertion ---- */

/* A node and the key from which on its jobs are in a new one behind it; NULL: it was not split. */
struct split {
    struct ready_node *behind;
    struct ready_key from;
};

/* Jobs often come in order: what grows at its end is cut there, so that it stays full. */
static unsigned cut_of(const struct ready_node *node, unsigned position)
{
    return position == node->count ? node->count - node->count / 8U : node->count / 2U;
}

static unsigned position_in_leaf(enum ready_order order, const struct leaf *leaf,
                                 const struct ready_key *key)
{
    unsigned low = 0;
    for (unsigned high = leaf->node.count; low < high;) {
        unsigned middle = (low + high) / 2;
        struct ready_key there = ready_key(order, leaf->entries[middle].job);
        if (ready_key_before(&there, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last child that begins before or at the key. */
static unsigned position_in_inner(const struct inner *inner, const struct ready_key *key)
{
    unsigned low = 0;
    for (unsigned high = inner->node.count - 1U; low < high;) {
        unsigned middle = (low + high + 1) / 2;
        if (ready_key_before(key, &inner->children[middle].from))
            high = middle - 1;
        else
            low = middle;
    }
    return low;
}

static void put_entry(struct leaf *leaf, unsigned position, const struct entry *entry)
{
    memmove(&leaf->entries[position + 1], &leaf->entries[position],
            (leaf->node.count - position) * sizeof(*entry));
    leaf->entries[position] = *entry;
    leaf->node.count++;
    take_entry(&leaf->node, entry);
}

static struct split insert_in_leaf(enum ready_order order, struct leaf *leaf,
                                   const struct entry *entry, const struct ready_key *key)
{
    unsigned position = position_in_leaf(order, leaf, key);
    if (leaf->node.count < leaf->node.room) {
        put_entry(leaf, position, entry);
        return (struct split){0};
    }
    unsigned cut = cut_of(&leaf->node, position);
    struct leaf *behind = leaf_resized(NULL, LEAF_ROOM);
    behind->node.count = (uint16_t)(leaf->node.count - cut);
    memcpy(behind->entries, &leaf->entries[cut], behind->node.count * sizeof(*entry));
    leaf->node.count = (uint16_t)cut;
    update(&leaf->node);
    update(&behind->node);
    if (position > cut)
        put_entry(behind, position - cut, entry);
    else
        put_entry(leaf, position, entry);
    return (struct split){&behind->node, ready_key(order, behind->entries[0].job)};
}

static void put_child(struct inner *inner, unsigned position, const struct split *split)
{
    memmove(&inner->children[position + 1], &inner->children[position],
            (inner->node.count - position) * sizeof(struct child));
    inner->children[position] = (struct child){split->behind, split->from};
    inner->node.count++;
}

static struct split add_child(struct inner *inner, unsigned position, const struct split *split)
{
    if (inner->node.count < INNER_ROOM) {
        put_child(inner, position, split);
        return (struct split){0};
    }
    unsigned cut = cut_of(&inner->node, position);
    struct inner *behind = inner_new();
    struct split result = {&behind->node, inner->children[cut].from};
    behind->node.count = (uint16_t)(inner->node.count - cut);
    memcpy(behind->children, &inner->children[cut], behind->node.count * sizeof(struct child));
    inner->node.count = (uint16_t)cut;
    if (position > cut)
        put_child(behind, position - cut, split);
    else
        put_child(inner, position, split);
    update(&inner->node);
    update(&behind->node);
    return result;
}

static struct split insert(enum ready_order order, struct ready_node *node,
                           const struct entry *entry, const struct ready_key *key)
{
    if (node->is_leaf)
        return insert_in_leaf(order, as_leaf(node), entry, key);
    struct inner *inner = as_inner(node);
    unsigned position = position_in_inner(inner, key);
    take_entry(node, entry);
    struct split split = insert(order, inner->children[position].node, entry, key);
    return split.behind == NULL ? split : add_child(inner, position + 1, &split);
}

static void make_room_at_root(struct ready_set *set)
{
    if (set->root == NULL) {
        set->root = &leaf_resized(NULL, LEAF_ROOM_AT_FIRST)->node;
    } else if (set->root->is_leaf && set->root->count == set->root->room &&
               set->root->room < LEAF_ROOM) {
        set->root = &leaf_resized(as_leaf(set->root), set->root->room * 4U)->node;
    }
}

static_assert(LEAF_ROOM_AT_FIRST * 16 == LEAF_ROOM, "it grows by fours");

void ready_set_insert(struct ready_set *set, struct job *job)
{
    const struct entry entry = {job, job->cpus, ready_seconds(job->estimate_us)};
    struct ready_key key = ready_key(set->order, job);
    make_room_at_root(set);
    struct split split = insert(set->order, set->root, &entry, &key);
    if (split.behind != NULL) {
        struct inner *root = inner_new();
        root->children[0].node = set->root;
        root->children[1] = (struct child){split.behind, split.from};
        root->node.count = 2;
        set->root = &root->node;
        update(set->root);
    }
    set->count++;
    struct ready_key first = set->first == NULL ? key : ready_key(set->order, set->first);
    if (set->first == NULL || ready_key_before(&key, &first))
        set->first = job;
}

/* ---- removal ---- */

static void remove_child(struct inner *inner, unsigned position)
{
    inner->node.count--;
    memmove(&inner->children[position], &inner->children[position + 1],
            (inner->node.count - position) * sizeof(struct child));
}

/* The leaf before it takes its jobs when it is thin. The first one is left alone: it is being
 * emptied by those that start. */
static void tidy_child(struct inner *inner, unsigned position)
{
    struct ready_node *node = inner->children[position].node;
    if (node->count > 0) {
        if (!node->is_leaf || node->count >= LEAF_THIN || position == 0)
            return;
        struct leaf *before = as_leaf(inner->children[position - 1].node);
        if (before->node.count + node->count > LEAF_ROOM / 4 * 3)
            return;
        memcpy(&before->entries[before->node.count], as_leaf(node)->entries,
               node->count * sizeof(struct entry));
        before->node.count = (uint16_t)(before->node.count + node->count);
        update(&before->node);
    }
    free(node);
    remove_child(inner, position);
}

static void remove_from(struct ready_node *node, const struct job *job, const struct ready_key *key)
{
    node->stale = true;
    if (!node->is_leaf) {
        unsigned position = position_in_inner(as_inner(node), key);
        remove_from(as_inner(node)->children[position].node, job, key);
        tidy_child(as_inner(node), position);
        return;
    }
    struct leaf *leaf = as_leaf(node);
    unsigned position = 0; /* comparing addresses spares looking at the jobs themselves */
    while (position < node->count && leaf->entries[position].job != job)
        position++;
    assert(position < node->count);
    node->count--;
    memmove(&leaf->entries[position], &leaf->entries[position + 1],
            (node->count - position) * sizeof(struct entry));
}

/* Those that will be first soon are asked for from memory now, before they are needed. */
static void find_first(struct ready_set *set)
{
    struct ready_node *node = set->root;
    struct ready_node *next = NULL; /* the node behind it */
    set->first = NULL;
    if (node == NULL)
        return;
    while (!node->is_leaf) {
        assert(node->count > 0); /* an empty one is freed at once */
        next = node->count > 1 ? as_inner(node)->children[1].node : NULL;
        node = as_inner(node)->children[0].node;
    }
    const struct entry *entries = as_leaf(node)->entries;
    set->first = entries[0].job;
    if (node->count > 1)
        __builtin_prefetch(entries[1].job);
    else if (next != NULL && next->is_leaf)
        __builtin_prefetch(as_leaf(next)->entries[0].job);
    if (node->count == 2 && next != NULL)
        __builtin_prefetch(as_leaf(next)->entries);
}

void ready_set_remove(struct ready_set *set, struct job *job)
{
    struct ready_key key = ready_key(set->order, job);
    remove_from(set->root, job, &key);
    while (set->root != NULL && !set->root->is_leaf && set->root->count == 1) {
        struct ready_node *only = as_inner(set->root)->children[0].node;
        free(set->root);
        set->root = only;
    }
    if (--set->count == 0) {
        free_node(set->root);
        set->root = NULL;
    }
    if (set->first == job)
        find_first(set);
}

/* ---- what fits ---- */

bool ready_fits(const struct job *job, const struct ready_limits *limits)
{
    if (job->cpus > limits->free.amount[RESOURCE_CPUS])
        return false;
    const struct resources *wanted = request_table_at(limits->requests, job->request);
    const bool gpus = gpu_pool_asked(wanted);
    return resources_fit(wanted, &limits->free) &&
           (!gpus || limits->gpus == NULL || gpu_pool_fits(limits->gpus, wanted)) &&
           (job->estimate_us <= limits->window_us ||
            ((!gpus || limits->gpus_beside) && resources_fit(wanted, &limits->left_over)));
}

/* What is searched for in one set. */
struct question {
    enum ready_order order;
    const struct ready_search *search;
    const struct ready_key *before; /* NULL: wherever it stands */
};

static struct job *fitting_in_leaf(const struct leaf *leaf, const struct question *question)
{
    const struct ready_search *search = question->search;
    for (unsigned i = 0; i < leaf->node.count; i++) {
        const struct entry *entry = &leaf->entries[i];
        if (entry->cpus > search->cpus ||
            (entry->estimate_s > search->window_s && entry->cpus > search->cpus_beside))
            continue;
        if (search->limits->visits == 0)
            return NULL;
        search->limits->visits--;
        struct ready_key key = ready_key(question->order, entry->job);
        if (question->before != NULL && !ready_key_before(&key, question->before))
            return NULL;
        if (ready_fits(entry->job, search->limits))
            return entry->job;
    }
    return NULL;
}

static bool is_behind(const struct child *child, const struct question *question)
{
    return question->before != NULL && !ready_key_before(&child->from, question->before);
}

static struct job *fitting(struct ready_node *node, const struct question *question)
{
    struct job *found = NULL;
    if (question->search->limits->visits == 0 || !ready_may_hold(&node->bounds, question->search))
        return NULL;
    question->search->limits->visits--;
    if (node->is_leaf)
        found = fitting_in_leaf(as_leaf(node), question);
    for (unsigned i = 0; !node->is_leaf && i < node->count && found == NULL; i++) {
        struct child *child = &as_inner(node)->children[i];
        if (i > 0 && is_behind(child, question))
            break;
        node->stale |= child->node->stale; /* it may be mended now */
        found = fitting(child->node, question);
    }
    if (found == NULL && node->stale)
        update(node);
    return found;
}

struct job *ready_set_fitting(const struct ready_set *set, const struct ready_search *search,
                              const struct ready_key *before)
{
    const struct question question = {set->order, search, before};
    return set->root == NULL ? NULL : fitting(set->root, &question);
}

const struct ready_bounds *ready_set_bounds(const struct ready_set *set)
{
    return set->root == NULL ? NULL : &set->root->bounds;
}

static void walk(struct ready_node *node, void (*visit)(struct job *job, void *arg), void *arg)
{
    for (unsigned i = 0; i < node->count; i++) {
        if (node->is_leaf)
            visit(as_leaf(node)->entries[i].job, arg);
        else
            walk(as_inner(node)->children[i].node, visit, arg);
    }
}

void ready_set_walk(const struct ready_set *set, void (*visit)(struct job *job, void *arg),
                    void *arg)
{
    if (set->root != NULL)
        walk(set->root, visit, arg);
}
