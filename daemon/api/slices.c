#include "daemon/api/slices.h"

#include "common/alloc.h"
#include "common/timers.h"

#include <stdlib.h>

struct slice {
    struct slice *next;
    struct slices *all;
    uint32_t uid;
    slice_fn read;
    void *arg;
};

struct slices {
    unsigned most_of_user;
    struct timer *timer; /* set while there is one */
    struct slice *first; /* whose turn is next */
};

static void put_last(struct slice *slice)
{
    struct slice **link = &slice->all->first;
    while (*link != NULL)
        link = &(*link)->next;
    slice->next = NULL;
    *link = slice;
}

static void take_out(struct slice *slice)
{
    struct slice **link = &slice->all->first;
    while (*link != slice)
        link = &(*link)->next;
    *link = slice->next;
}

static void on_timer(void *arg)
{
    struct slices *all = arg;
    struct slice *slice = all->first;
    if (slice == NULL)
        return;
    take_out(slice);
    put_last(slice);
    timer_set(all->timer, 0);
    slice->read(slice->arg);
}

struct slices *slices_new(struct event_base *base, unsigned most_of_user)
{
    struct slices *all = xcalloc(1, sizeof(*all));
    *all = (struct slices){.most_of_user = most_of_user};
    all->timer = timer_new(base, on_timer, all);
    return all;
}

void slices_free(struct slices *all)
{
    if (all == NULL)
        return;
    timer_free(all->timer);
    free(all);
}

struct slice *slice_new(struct slices *all, uint32_t uid, slice_fn read, void *arg,
                        struct error *err)
{
    unsigned mine = 0;
    for (const struct slice *one = all->first; one != NULL; one = one->next)
        mine += one->uid == uid;
    if (mine >= all->most_of_user) {
        (void)error_set(err, ERROR_BUSY,
                        "%u sums of yours are being made; that is the most at a time", mine);
        return NULL;
    }
    struct slice *slice = xcalloc(1, sizeof(*slice));
    *slice = (struct slice){.all = all, .uid = uid, .read = read, .arg = arg};
    put_last(slice);
    timer_set(all->timer, 0);
    return slice;
}

void slice_free(struct slice *slice)
{
    if (slice == NULL)
        return;
    take_out(slice);
    free(slice);
}
