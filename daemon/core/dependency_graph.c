#include "daemon/core/dependency_graph.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64U /* a power of two */
#define WHOLE (-1)

struct edge_list {
    struct dependency_edge *first, *last;
};

/* A job, or one task of an array, at an end of an edge. */
struct dependency_node {
    struct dependency_node *next_in_bucket;
    uint64_t id;
    int64_t index;                                   /* WHOLE: the job itself */
    struct edge_list awaited[DEPENDENCY_WAIT_COUNT]; /* what waits for it */
    struct dependency_edge *waits;                   /* list of what it waits for */
    struct dependency_node *tasks;                   /* of a whole one: list of its tasks' nodes */
    struct dependency_node *next_task, *prev_task;
    struct dependency_node *whole;     /* of a task: its array's; else itself */
    struct dependency_node *came_from; /* of a search */
    uint64_t search;                   /* the one that saw it */
    uint32_t open;                     /* edges it waits for, but for WAIT_FOR_TASKS */
};

struct dependency_graph {
    struct dependency_node **buckets;
    size_t bucket_count, nodes;
    uint64_t search, visited;
    /* A job waits for earlier ones, unless an edit lets it wait for a later one. How many edges are
     * so, and an id below which no job with one stands: a way that comes there leads to lower ids
     * only. */
    size_t forward;
    uint64_t forward_from;
};

/* ---- nodes: a hash with chains ---- */

static size_t bucket_of(const struct dependency_graph *graph, uint64_t id, int64_t index)
{
    /* Fibonacci hashing (Knuth 6.4), as in jobset.c. */
    uint64_t mixed = (id ^ ((uint64_t)(index + 1) << 40U)) * UINT64_C(11400714819323198485);
    return (size_t)(mixed >> 32U) & (graph->bucket_count - 1);
}

static struct dependency_node *find(const struct dependency_graph *graph, uint64_t id,
                                    int64_t index)
{
    struct dependency_node *node = graph->buckets[bucket_of(graph, id, index)];
    while (node != NULL && (node->id != id || node->index != index))
        node = node->next_in_bucket;
    return node;
}

static void put(struct dependency_graph *graph, struct dependency_node *node)
{
    struct dependency_node **bucket = &graph->buckets[bucket_of(graph, node->id, node->index)];
    node->next_in_bucket = *bucket;
    *bucket = node;
}

static void resize(struct dependency_graph *graph, size_t bucket_count)
{
    struct dependency_node **old = graph->buckets;
    size_t old_count = graph->bucket_count;
    graph->buckets = xcalloc(bucket_count, sizeof(struct dependency_node *));
    graph->bucket_count = bucket_count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct dependency_node *node = old[i];
            old[i] = node->next_in_bucket;
            put(graph, node);
        }
    }
    free(old);
}

static struct dependency_node *add_node(struct dependency_graph *graph, uint64_t id, int64_t index)
{
    struct dependency_node *node = xcalloc(1, sizeof(*node));
    node->id = id;
    node->index = index;
    if (++graph->nodes > graph->bucket_count)
        resize(graph, graph->bucket_count * 2);
    put(graph, node);
    return node;
}

static struct dependency_node *whole_of(struct dependency_graph *graph, uint64_t id)
{
    struct dependency_node *node = find(graph, id, WHOLE);
    if (node != NULL)
        return node;
    node = add_node(graph, id, WHOLE);
    node->whole = node;
    return node;
}

static struct dependency_node *task_of(struct dependency_graph *graph, uint64_t id, int64_t index)
{
    struct dependency_node *node = find(graph, id, index);
    struct dependency_node *whole = whole_of(graph, id);
    if (node != NULL)
        return node;
    node = add_node(graph, id, index);
    node->whole = whole;
    node->next_task = whole->tasks;
    if (whole->tasks != NULL)
        whole->tasks->prev_task = node;
    whole->tasks = node;
    return node;
}

static bool in_use(const struct dependency_node *node)
{
    bool used = node->waits != NULL || node->tasks != NULL;
    for (unsigned i = 0; i < DEPENDENCY_WAIT_COUNT; i++)
        used = used || node->awaited[i].first != NULL;
    return used;
}

static void remove_node(struct dependency_graph *graph, struct dependency_node *node)
{
    struct dependency_node **link = &graph->buckets[bucket_of(graph, node->id, node->index)];
    while (*link != node)
        link = &(*link)->next_in_bucket;
    *link = node->next_in_bucket;
    graph->nodes--;
    free(node);
}

/* A task's node keeps that of its array alive. */
static void forget_unused(struct dependency_graph *graph, struct dependency_node *node)
{
    if (in_use(node))
        return;
    if (node->index == WHOLE) {
        remove_node(graph, node);
        return;
    }
    struct dependency_node *whole = node->whole;
    if (node->prev_task == NULL)
        whole->tasks = node->next_task;
    else
        node->prev_task->next_task = node->next_task;
    if (node->next_task != NULL)
        node->next_task->prev_task = node->prev_task;
    remove_node(graph, node);
    if (!in_use(whole))
        remove_node(graph, whole);
}

/* ---- edges: in a list of the parent's, oldest first, and in one of the child's ---- */

static enum dependency_wait wait_of(const struct dependency_edge *edge)
{
    if (edge->what.type == DEPENDENCY_AFTER)
        return WAIT_FOR_START;
    return edge->what.type == DEPENDENCY_AFTERCORR ? WAIT_FOR_TASKS : WAIT_FOR_END;
}

static bool is_forward(const struct dependency_edge *edge)
{
    return edge->to->id > edge->child;
}

static void link_edge(struct dependency_graph *graph, struct dependency_edge *edge)
{
    struct edge_list *of_parent = &edge->to->awaited[wait_of(edge)];
    struct dependency_edge **of_child = &edge->from->waits;
    edge->next_of_parent = NULL;
    edge->prev_of_parent = of_parent->last;
    *(of_parent->last == NULL ? &of_parent->first : &of_parent->last->next_of_parent) = edge;
    of_parent->last = edge;
    edge->prev_of_child = NULL;
    edge->next_of_child = *of_child;
    if (*of_child != NULL)
        (*of_child)->prev_of_child = edge;
    *of_child = edge;
    if (!is_forward(edge))
        return;
    if (graph->forward++ == 0 || edge->child < graph->forward_from)
        graph->forward_from = edge->child;
}

static void unlink_edge(struct dependency_graph *graph, struct dependency_edge *edge)
{
    struct edge_list *of_parent = &edge->to->awaited[wait_of(edge)];
    struct dependency_edge *before = edge->prev_of_parent;
    struct dependency_edge *behind = edge->next_of_parent;
    *(before == NULL ? &of_parent->first : &before->next_of_parent) = behind;
    *(behind == NULL ? &of_parent->last : &behind->prev_of_parent) = before;
    before = edge->prev_of_child;
    behind = edge->next_of_child;
    *(before == NULL ? &edge->from->waits : &before->next_of_child) = behind;
    if (behind != NULL)
        behind->prev_of_child = before;
    graph->forward -= is_forward(edge);
}

/* The child's node stays, for the caller to look at. */
static void remove_edge(struct dependency_graph *graph, struct dependency_edge *edge)
{
    struct dependency_node *parent = edge->to;
    unlink_edge(graph, edge);
    edge->from->open -= wait_of(edge) != WAIT_FOR_TASKS;
    free(edge);
    forget_unused(graph, parent);
}

/* ---- public ---- */

struct dependency_graph *dependency_graph_new(void)
{
    struct dependency_graph *graph = xcalloc(1, sizeof(*graph));
    resize(graph, FIRST_BUCKETS);
    return graph;
}

/* Each edge is freed with its child. */
static void free_waits(struct dependency_node *node)
{
    struct dependency_edge *next;
    for (struct dependency_edge *edge = node->waits; edge != NULL; edge = next) {
        next = edge->next_of_child;
        free(edge);
    }
}

void dependency_graph_free(struct dependency_graph *graph)
{
    if (graph == NULL)
        return;
    for (size_t i = 0; i < graph->bucket_count; i++) {
        struct dependency_node *next;
        for (struct dependency_node *node = graph->buckets[i]; node != NULL; node = next) {
            next = node->next_in_bucket;
            free_waits(node);
            free(node);
        }
    }
    free(graph->buckets);
    free(graph);
}

bool dependency_graph_empty(const struct dependency_graph *graph)
{
    return graph->nodes == 0;
}

struct dependency_edge *dependency_graph_add(struct dependency_graph *graph, uint64_t child,
                                             uint32_t position, bool any,
                                             const struct dependency *what)
{
    struct dependency_edge *edge = xcalloc(1, sizeof(*edge));
    *edge =
        (struct dependency_edge){.what = *what, .child = child, .position = position, .any = any};
    edge->from = whole_of(graph, child);
    edge->to = what->is_task ? task_of(graph, what->parent, (int64_t)what->index)
                             : whole_of(graph, what->parent);

    edge->from->open += wait_of(edge) != WAIT_FOR_TASKS;
    link_edge(graph, edge);
    return edge;
}

struct dependency_edge *dependency_graph_first(const struct dependency_graph *graph, uint64_t id,
                                               int64_t index, enum dependency_wait wait)
{
    const struct dependency_node *node = find(graph, id, index < 0 ? WHOLE : index);
    return node == NULL ? NULL : node->awaited[wait].first;
}

struct dependency_edge *dependency_graph_first_of_tasks(const struct dependency_graph *graph,
                                                        uint64_t id)
{
    const struct dependency_node *whole = find(graph, id, WHOLE);
    if (whole == NULL || whole->tasks == NULL)
        return NULL;
    struct dependency_edge *started = whole->tasks->awaited[WAIT_FOR_START].first;
    return started != NULL ? started : whole->tasks->awaited[WAIT_FOR_END].first;
}

size_t dependency_graph_tasks(const struct dependency_graph *graph, uint64_t id, uint64_t **ret)
{
    const struct dependency_node *whole = find(graph, id, WHOLE);
    const struct dependency_node *first = whole == NULL ? NULL : whole->tasks;
    size_t count = 0;
    for (const struct dependency_node *task = first; task != NULL; task = task->next_task)
        count++;
    *ret = count == 0 ? NULL : xreallocarray(NULL, count, sizeof(**ret));
    count = 0;
    for (const struct dependency_node *task = first; task != NULL; task = task->next_task)
        (*ret)[count++] = (uint64_t)task->index;
    return count;
}

struct dependency_edge *dependency_graph_first_of(const struct dependency_graph *graph,
                                                  uint64_t child)
{
    const struct dependency_node *node = find(graph, child, WHOLE);
    return node == NULL ? NULL : node->waits;
}

bool dependency_graph_awaited(const struct dependency_graph *graph, uint64_t id, int64_t index)
{
    const struct dependency_node *node = find(graph, id, index < 0 ? WHOLE : index);
    bool awaited = false;
    if (node == NULL)
        return false;
    for (unsigned i = 0; i < DEPENDENCY_WAIT_COUNT; i++)
        awaited = awaited || node->awaited[i].first != NULL;
    return awaited || node->tasks != NULL;
}

enum dependency_verdict dependency_graph_close(struct dependency_graph *graph,
                                               struct dependency_edge *edge, bool fulfilled)
{
    struct dependency_node *child = edge->from;
    uint64_t id = edge->child;
    bool any = edge->any;
    bool counts = wait_of(edge) != WAIT_FOR_TASKS;
    remove_edge(graph, edge);
    uint32_t left = child->open;
    enum dependency_verdict verdict = DEPENDENCY_WAITS;
    if (counts && (any ? fulfilled : fulfilled && left == 0))
        verdict = DEPENDENCY_MET;
    else if (!fulfilled && (!any || left == 0))
        verdict = DEPENDENCY_NEVER;
    if (verdict == DEPENDENCY_NEVER || (verdict == DEPENDENCY_MET && any))
        dependency_graph_drop(graph, id);
    else
        forget_unused(graph, child);
    return verdict;
}

void dependency_graph_close_tasks(struct dependency_graph *graph, uint64_t child)
{
    struct dependency_node *node = find(graph, child, WHOLE);
    struct dependency_edge *edge = node == NULL ? NULL : node->waits;
    while (edge != NULL && wait_of(edge) != WAIT_FOR_TASKS)
        edge = edge->next_of_child;
    if (edge != NULL)
        (void)dependency_graph_close(graph, edge, true);
}

void dependency_graph_redirect(struct dependency_graph *graph, struct dependency_edge *edge,
                               uint64_t parent)
{
    struct dependency_node *before = edge->to;
    unlink_edge(graph, edge);
    edge->what.parent = parent;
    edge->to = whole_of(graph, parent);
    link_edge(graph, edge);
    forget_unused(graph, before);
}

void dependency_graph_drop(struct dependency_graph *graph, uint64_t child)
{
    struct dependency_node *node = find(graph, child, WHOLE);
    if (node == NULL)
        return;
    struct dependency_edge *next;
    for (struct dependency_edge *edge = node->waits; edge != NULL; edge = next) {
        next = edge->next_of_child;
        remove_edge(graph, edge);
    }
    forget_unused(graph, node);
}

bool dependency_graph_waits(const struct dependency_graph *graph, uint64_t child)
{
    const struct dependency_node *node = find(graph, child, WHOLE);
    return node != NULL && node->open > 0;
}

/* The ids from `child` along came_from, which leads back to it. */
static size_t write_path(uint64_t child, struct dependency_node *last, uint64_t **ret_path)
{
    size_t count = 2;
    for (const struct dependency_node *node = last; node != NULL; node = node->came_from)
        count++;
    uint64_t *path = xcalloc(count, sizeof(*path));
    size_t at = count - 1;
    path[at--] = child;
    for (const struct dependency_node *node = last; node != NULL; node = node->came_from)
        path[at--] = node->id;
    path[0] = child;
    *ret_path = path;
    return count;
}

struct cycle_search {
    uint64_t child;
    const uint64_t *parents;
    size_t count;
    uint64_t **ret_path;
    struct dependency_node **stack; /* seen, and what they wait for not yet */
    size_t height, room;
};

static void push(struct cycle_search *search, struct dependency_node *node)
{
    if (search->height == search->room) {
        search->room = search->room == 0 ? 64 : search->room * 2;
        search->stack =
            xreallocarray((void *)search->stack, search->room, sizeof(struct dependency_node *));
    }
    search->stack[search->height++] = node;
}

/* Those that wait for `child` have higher ids than it, but for forward edges. */
static bool may_lead_up(const struct dependency_graph *graph, uint64_t id, uint64_t child)
{
    return id >= child || (graph->forward > 0 && id >= graph->forward_from);
}

/* The jobs that `node` waits for are put on the stack, once in a search. */
static void visit(const struct dependency_graph *graph, struct dependency_node *node,
                  struct cycle_search *search)
{
    for (const struct dependency_edge *edge = node->waits; edge != NULL;
         edge = edge->next_of_child) {
        struct dependency_node *next = edge->to->whole;
        if (next->search == graph->search || !may_lead_up(graph, next->id, search->child))
            continue;
        next->search = graph->search;
        next->came_from = node;
        push(search, next);
    }
}

/* Puts what is waited for on the stack; the number of jobs on the way when `child` itself is. */
static size_t begin_search(struct dependency_graph *graph, struct cycle_search *search)
{
    graph->search++;
    for (size_t i = 0; i < search->count; i++) {
        uint64_t id = search->parents[i];
        if (id == search->child)
            return write_path(search->child, NULL, search->ret_path);
        struct dependency_node *start =
            may_lead_up(graph, id, search->child) ? find(graph, id, WHOLE) : NULL;
        if (start != NULL && start->search != graph->search) {
            start->search = graph->search;
            start->came_from = NULL;
            push(search, start);
        }
    }
    return 0;
}

size_t dependency_graph_cycle(struct dependency_graph *graph, uint64_t child,
                              const uint64_t *parents, size_t count, uint64_t **ret_path)
{
    struct cycle_search search = {
        .child = child, .parents = parents, .count = count, .ret_path = ret_path};
    size_t length = begin_search(graph, &search);
    if (!dependency_graph_awaited(graph, child, WHOLE))
        search.height = 0;
    while (search.height > 0 && length == 0) {
        struct dependency_node *node = search.stack[--search.height];
        graph->visited++;
        if (node->id == child)
            length = write_path(child, node->came_from, ret_path);
        else
            visit(graph, node, &search);
    }
    free((void *)search.stack);
    return length;
}

uint64_t dependency_graph_visited(const struct dependency_graph *graph)
{
    return graph->visited;
}
