#include "daemon/core/task_counts.h"

#include "common/alloc.h"

#include <search.h>
#include <stddef.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct task_count *first = a;
    const struct task_count *second = b;
    return (first->id > second->id) - (first->id < second->id);
}

void task_counts_done(struct task_counts *counts)
{
    tdestroy(counts->root, free);
    counts->root = NULL;
}

struct task_count *task_counts_find(const struct task_counts *counts, uint64_t id)
{
    const struct task_count key = {.id = id};
    void *found = tfind(&key, &counts->root, compare);
    return found == NULL ? NULL : *(struct task_count **)found;
}

void task_counts_put(struct task_counts *counts, const struct task_count *count)
{
    struct task_count *mine = task_counts_find(counts, count->id);
    if (mine != NULL) {
        *mine = *count;
        return;
    }
    mine = xmalloc(sizeof(*mine));
    *mine = *count;
    if (tsearch(mine, &counts->root, compare) == NULL)
        out_of_memory();
}

void task_counts_drop(struct task_counts *counts, uint64_t id)
{
    struct task_count *mine = task_counts_find(counts, id);
    if (mine == NULL)
        return;
    (void)tdelete(mine, &counts->root, compare);
    free(mine);
}

struct walk {
    void (*each)(void *arg, struct task_count *count);
    void *arg;
};

static void visit(const void *node, VISIT which, void *arg)
{
    const struct walk *walk = arg;
    if (which == postorder || which == leaf)
        walk->each(walk->arg, *(struct task_count *const *)node);
}

void task_counts_each(const struct task_counts *counts,
                      void (*each)(void *arg, struct task_count *count), void *arg)
{
    struct walk walk = {each, arg};
    twalk_r(counts->root, visit, &walk);
}

uint64_t task_count_startable(const struct task_count *count)
{
    uint64_t free = count->waiting > count->kept ? count->waiting - count->kept : 0;
    if (count->limit == 0)
        return free;
    uint64_t room = count->limit > count->running ? count->limit - count->running : 0;
    return free < room ? free : room;
}
