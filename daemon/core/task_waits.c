#include "daemon/core/task_waits.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>

static bool is_before(const struct task_wait *a, const struct task_wait *b)
{
    return a->at != b->at ? a->at < b->at : a->index < b->index;
}

/* From `position`, which is free, towards the root. */
static void move_up(struct task_heap *heap, size_t position, struct task_wait wait)
{
    while (position > 0 && is_before(&wait, &heap->waits[(position - 1) / 2])) {
        heap->waits[position] = heap->waits[(position - 1) / 2];
        position = (position - 1) / 2;
    }
    heap->waits[position] = wait;
}

static void move_down(struct task_heap *heap, size_t position, struct task_wait wait)
{
    for (;;) {
        size_t child = 2 * position + 1;
        if (child + 1 < heap->count && is_before(&heap->waits[child + 1], &heap->waits[child]))
            child++;
        if (child >= heap->count || !is_before(&heap->waits[child], &wait))
            break;
        heap->waits[position] = heap->waits[child];
        position = child;
    }
    heap->waits[position] = wait;
}

static void append(struct task_heap *heap, struct task_wait wait)
{
    if (heap->count == heap->room) {
        heap->room = heap->room == 0 ? 8 : heap->room * 2;
        heap->waits = xreallocarray(heap->waits, heap->room, sizeof(*heap->waits));
    }
    heap->waits[heap->count++] = wait;
}

static void push(struct task_heap *heap, struct task_wait wait)
{
    append(heap, wait);
    move_up(heap, heap->count - 1, wait);
}

static struct task_wait pop(struct task_heap *heap)
{
    assert(heap->count > 0);
    struct task_wait first = heap->waits[0];
    struct task_wait last = heap->waits[--heap->count];
    if (heap->count > 0)
        move_down(heap, 0, last);
    return first;
}

void task_waits_done(struct task_waits *waits)
{
    free(waits->ready.waits);
    free(waits->later.waits);
    *waits = (struct task_waits){.ready = {.waits = NULL}};
}

void task_waits_add(struct task_waits *waits, struct task_wait wait)
{
    push(wait.at == 0 ? &waits->ready : &waits->later, wait);
}

void task_waits_due(struct task_waits *waits, int64_t now, size_t most)
{
    for (; most > 0 && task_waits_next(waits) <= now; most--) {
        struct task_wait wait = pop(&waits->later);
        wait.at = 0;
        push(&waits->ready, wait);
    }
}

static void order(struct task_heap *heap)
{
    for (size_t i = heap->count / 2; i-- > 0;)
        move_down(heap, i, heap->waits[i]);
}

void task_waits_lift(struct task_waits *waits)
{
    struct task_heap *ready = &waits->ready;
    struct task_heap *later = &waits->later;
    for (size_t i = 0; i < ready->count; i++)
        append(later, ready->waits[i]);
    for (size_t i = 0; i < later->count; i++)
        later->waits[i].at = 0;
    order(later);
    const struct task_heap emptied = *ready;
    *ready = *later;
    *later = emptied;
    later->count = 0;
}

const struct task_wait *task_waits_first(const struct task_waits *waits)
{
    return waits->ready.count == 0 ? NULL : &waits->ready.waits[0];
}

uint64_t task_waits_take(struct task_waits *waits)
{
    return pop(&waits->ready).index;
}

/* The last of a heap leaves it one. */
bool task_waits_drop(struct task_waits *waits, uint64_t *ret_index)
{
    struct task_heap *heap = waits->later.count > 0 ? &waits->later : &waits->ready;
    if (heap->count == 0)
        return false;
    *ret_index = heap->waits[--heap->count].index;
    return true;
}

int64_t task_waits_next(const struct task_waits *waits)
{
    return waits->later.count == 0 ? INT64_MAX : waits->later.waits[0].at;
}

/* The last comes into its place, and from there to its own. */
static void remove_at(struct task_heap *heap, size_t position)
{
    const struct task_wait last = heap->waits[--heap->count];
    if (position == heap->count)
        return;
    if (position > 0 && is_before(&last, &heap->waits[(position - 1) / 2]))
        move_up(heap, position, last);
    else
        move_down(heap, position, last);
}

/* From the end: what comes into the place of one that goes was seen already, or (when it goes up)
 * stood before it; so the place is looked at again. */
static bool filter(struct task_heap *heap, size_t *most, task_wait_fn keep, void *arg)
{
    size_t left = heap->count;
    while (left > 0 && *most > 0) {
        if (keep(arg, &heap->waits[left - 1])) {
            left--;
            continue;
        }
        remove_at(heap, left - 1);
        left = left < heap->count ? left : heap->count;
        --*most;
    }
    return left > 0;
}

bool task_waits_filter(struct task_waits *waits, size_t most, task_wait_fn keep, void *arg)
{
    return filter(&waits->ready, &most, keep, arg) || filter(&waits->later, &most, keep, arg);
}
