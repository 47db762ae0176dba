/* What runs, by when it is expected to end: enough to say when there will be room for more. Sorted,
 * in blocks that know what their jobs hold together, so that the question costs a look at each
 * block and one at each job of a block; and a hundred thousand jobs may run at once in a
 * simulation. */
#ifndef BATCHD_DAEMON_CORE_RUNNING_SET_H
#define BATCHD_DAEMON_CORE_RUNNING_SET_H

#include "daemon/core/request_table.h"

#include <stddef.h>

#define NEVER INT64_MAX

struct running {
    uint64_t run; /* its number, given here; later ones have greater ones */
    uint32_t request, uid;
    int64_t ends_at; /* NEVER when nobody knows */
    uint64_t gpus;   /* which it has */
    uint8_t queue;
};

struct running_set {
    struct running_block **blocks; /* by ends_at, then run; none is empty; owned */
    size_t block_count, block_room;
    struct running_place *places; /* of the numbers; owned */
    uint32_t place_count, place_room;
    uint32_t free_place;
    uint64_t last;
};

void running_set_done(struct running_set *set);
/* Returns its number, which is never 0. */
uint64_t running_set_add(struct running_set *set, const struct request_table *requests,
                         const struct running *one);
/* Takes it out; false: it is not there. */
bool running_set_take(struct running_set *set, const struct request_table *requests, uint64_t run,
                      struct running *ret_was);

bool running_set_is_empty(const struct running_set *set);

/* Calls `visit` for each, by ends_at; of one it may change uid and queue. */
void running_set_walk(struct running_set *set, void (*visit)(struct running *one, void *arg),
                      void *arg);

/* The machine and what of it is used; more may be, after it was made smaller. */
struct occupancy {
    struct resources total, used;
};

/* The earliest time, `now` or later, at which `wanted` will fit; *occupancy becomes what it will be
 * then. What ends at one instant is counted together. NEVER, when an end that nobody knows has to
 * come first: of what should have ended before now, and then of what has no known end, as many as
 * are needed are counted, the earlier ones first. (Were all of them counted, what started in the
 * meantime would seem to make room, round after round, and `wanted` would starve.) It must fit into
 * the whole machine. */
int64_t running_set_room(const struct running_set *set, const struct request_table *requests,
                         const struct resources *wanted, int64_t now, struct occupancy *occupancy);

#endif
