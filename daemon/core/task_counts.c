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
        abort();
}

void task_counts_drop(struct task_counts *counts, uint64_t id)
{
    struct task_count *mine = task_counts_find(counts, id);
    if (mine == NULL)
        return;
    (void)tdelete(mine, &counts->root, compare);
    free(mine);
}

uint64_t task_count_startable(const struct task_count *count)
{
    if (count->limit == 0)
        return count->waiting;
    uint64_t room = count->limit > count->running ? count->limit - count->running : 0;
    return count->waiting < room ? count->waiting : room;
}
