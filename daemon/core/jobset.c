#include "daemon/core/jobset.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_JOBS 4096U /* 192 KiB a slab */
#define NO_JOB UINT32_MAX

struct user_count {
    uint32_t uid;
    size_t waiting;
};

struct jobset {
    struct scheduler *scheduler;
    struct job **slabs;
    uint32_t slab_count, used; /* records handed out so far, free ones included */
    uint32_t free_head;        /* list of free records, linked through request */
    uint32_t *slots;           /* hash: record number, or NO_JOB */
    uint32_t slot_count;       /* a power of two */
    uint32_t filled;
    size_t counts[JOB_STATE_COUNT];
    size_t in_queue[UINT8_MAX + 1];
    size_t in_state[UINT8_MAX + 1][JOB_STATE_COUNT];      /* by the number of their queue */
    size_t waiting_at[UINT8_MAX + 1][JOB_LEVEL_MASK + 1]; /* and those that wait by their level */
    struct user_count *users;                             /* by uid */
    size_t user_count;
};

static struct job *record_at(const struct jobset *set, uint32_t number)
{
    return &set->slabs[number / SLAB_JOBS][number % SLAB_JOBS];
}

/* ---- hash: open addressing, linear probing, backward-shift deletion ---- */

static uint32_t home_slot(const struct jobset *set, uint64_t id)
{
    /* Fibonacci hashing (Knuth 6.4): ids are dense, the multiplier spreads them. */
    return (uint32_t)((id * UINT64_C(11400714819323198485)) >> 32U) & (set->slot_count - 1);
}

static void hash_put(struct jobset *set, uint32_t number)
{
    uint32_t slot = home_slot(set, record_at(set, number)->id);
    while (set->slots[slot] != NO_JOB)
        slot = (slot + 1) & (set->slot_count - 1);
    set->slots[slot] = number;
}

static void hash_resize(struct jobset *set, uint32_t slot_count)
{
    uint32_t *old = set->slots;
    uint32_t old_count = set->slot_count;
    set->slots = xreallocarray(NULL, slot_count, sizeof(uint32_t));
    memset(set->slots, 0xff, slot_count * sizeof(uint32_t));
    set->slot_count = slot_count;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i] != NO_JOB)
            hash_put(set, old[i]);
    }
    free(old);
}

static uint32_t hash_slot(const struct jobset *set, uint64_t id)
{
    uint32_t slot = home_slot(set, id);
    while (set->slots[slot] != NO_JOB && record_at(set, set->slots[slot])->id != id)
        slot = (slot + 1) & (set->slot_count - 1);
    return slot;
}

static void hash_delete(struct jobset *set, uint64_t id)
{
    uint32_t mask = set->slot_count - 1;
    uint32_t hole = hash_slot(set, id);
    assert(set->slots[hole] != NO_JOB);
    for (uint32_t at = (hole + 1) & mask; set->slots[at] != NO_JOB; at = (at + 1) & mask) {
        uint32_t home = home_slot(set, record_at(set, set->slots[at])->id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            set->slots[hole] = set->slots[at];
            hole = at;
        }
    }
    set->slots[hole] = NO_JOB;
    set->filled--;
}

/* ---- users ---- */

/* Where the user is, or would be. */
static size_t user_at(const struct jobset *set, uint32_t uid)
{
    size_t low = 0;
    for (size_t high = set->user_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (set->users[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct user_count *user_of(struct jobset *set, uint32_t uid)
{
    size_t at = user_at(set, uid);
    if (at < set->user_count && set->users[at].uid == uid)
        return &set->users[at];
    set->users = xreallocarray(set->users, set->user_count + 1, sizeof(*set->users));
    memmove(&set->users[at + 1], &set->users[at], (set->user_count++ - at) * sizeof(*set->users));
    set->users[at] = (struct user_count){.uid = uid};
    return &set->users[at];
}

/* ---- public ---- */

struct jobset *jobset_new(struct scheduler *scheduler)
{
    struct jobset *set = xcalloc(1, sizeof(*set));
    set->scheduler = scheduler;
    set->free_head = NO_JOB;
    hash_resize(set, 1024);
    return set;
}

void jobset_free(struct jobset *set)
{
    if (set == NULL)
        return;
    for (uint32_t i = 0; i < set->slab_count; i++)
        free(set->slabs[i]);
    free(set->slabs);
    free(set->slots);
    free(set->users);
    free(set);
}

static uint32_t take_record(struct jobset *set)
{
    if (set->free_head != NO_JOB) {
        uint32_t number = set->free_head;
        set->free_head = record_at(set, number)->request;
        return number;
    }
    if (set->used == set->slab_count * SLAB_JOBS) {
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers to slabs */
        set->slabs = xreallocarray(set->slabs, set->slab_count + 1, sizeof(*set->slabs));
        set->slabs[set->slab_count++] = xreallocarray(NULL, SLAB_JOBS, sizeof(struct job));
    }
    return set->used++;
}

static void queue_plain(struct jobset *set, struct job *job, int64_t now)
{
    if (!job_is_array(job) && !job_blocked_by(job, JOB_BLOCKS) &&
        job_state_of(job) == JOB_STATE_PENDING)
        scheduler_queue(set->scheduler, job, now);
}

static void count_in(struct jobset *set, const struct job *job)
{
    enum job_state state = job_state_of(job);
    set->in_state[job->queue][state]++;
    set->waiting_at[job->queue][job->level] += state == JOB_STATE_PENDING;
}

static void count_out(struct jobset *set, const struct job *job)
{
    enum job_state state = job_state_of(job);
    set->in_state[job->queue][state]--;
    set->waiting_at[job->queue][job->level] -= state == JOB_STATE_PENDING;
}

static void enter_state(struct jobset *set, struct job *job, enum job_state state, int64_t now)
{
    job->packed = (uint8_t)((job->packed & 0xf8U) | state);
    set->counts[state]++;
    count_in(set, job);
    if (state == JOB_STATE_PENDING) {
        user_of(set, job->uid)->waiting++;
        queue_plain(set, job, now);
    }
    if (job_state_terminal(state))
        scheduler_unqueue(set->scheduler, job);
}

static void leave_state(struct jobset *set, struct job *job)
{
    set->counts[job_state_of(job)]--;
    count_out(set, job);
    if (job_state_of(job) == JOB_STATE_PENDING) {
        user_of(set, job->uid)->waiting--;
        if (!job_is_array(job))
            scheduler_unqueue(set->scheduler, job);
    }
}

struct job *jobset_add(struct jobset *set, const struct job *job, const struct resources *wanted,
                       enum jobset_kind kind, enum job_state state, int64_t now)
{
    uint32_t number = take_record(set);
    struct job *mine = record_at(set, number);
    *mine = *job;
    mine->packed = kind == JOBSET_ARRAY ? 0x80U : 0;
    scheduler_learn(set->scheduler, mine, wanted);
    if (++set->filled > set->slot_count / 4 * 3)
        hash_resize(set, set->slot_count * 2);
    hash_put(set, number);
    set->in_queue[mine->queue]++;
    enter_state(set, mine, state, now);
    return mine;
}

struct job *jobset_find(const struct jobset *set, uint64_t id)
{
    uint32_t slot = hash_slot(set, id);
    return set->slots[slot] == NO_JOB ? NULL : record_at(set, set->slots[slot]);
}

int jobset_move(struct jobset *set, struct job *job, enum job_event event, int64_t now)
{
    int next = job_state_next(job_state_of(job), event);
    if (next < 0)
        return -1;
    leave_state(set, job);
    enter_state(set, job, (enum job_state)next, now);
    return 0;
}

void jobset_queue(struct jobset *set, struct job *array, bool wanted, int64_t now)
{
    assert(job_is_array(array));
    if (wanted && !job_blocked_by(array, JOB_BLOCKS))
        scheduler_queue(set->scheduler, array, now);
    else
        scheduler_unqueue(set->scheduler, array);
}

void jobset_block(struct jobset *set, struct job *job, enum job_block block)
{
    job->packed = (uint8_t)(job->packed | (unsigned)block);
    scheduler_unqueue(set->scheduler, job);
}

void jobset_unblock(struct jobset *set, struct job *job, enum job_block block, int64_t now)
{
    job->packed = (uint8_t)(job->packed & ~(unsigned)block);
    queue_plain(set, job, now);
}

void jobset_set_since(struct jobset *set, struct job *job, int64_t since, int64_t now)
{
    bool queued = job->queued || job->parked;
    scheduler_unqueue(set->scheduler, job);
    job->since = since;
    if (queued)
        scheduler_queue(set->scheduler, job, now);
}

/* It must not change while the job stands in its queue. */
static void set_estimate(struct jobset *set, struct job *job, int64_t estimate_us, int64_t now)
{
    bool queued = job->queued || job->parked;
    scheduler_unqueue(set->scheduler, job);
    job->estimate_us = estimate_us;
    if (queued)
        scheduler_queue(set->scheduler, job, now);
}

void jobset_estimate(struct jobset *set, uint32_t *at, uint32_t looks,
                     jobset_estimate_fn estimate_of, void *arg, int64_t now)
{
    for (; looks > 0 && *at < set->used; looks--, (*at)++) {
        struct job *job = record_at(set, *at);
        if (job_state_terminal(job_state_of(job))) /* so is what a removed one left behind */
            continue;
        int64_t estimate_us = estimate_of(arg, job);
        if (estimate_us != job->estimate_us)
            set_estimate(set, job, estimate_us, now);
    }
    if (*at >= set->used)
        *at = 0;
}

void jobset_look(struct jobset *set, uint32_t *at, uint32_t looks,
                 void (*each)(void *arg, struct job *job), void *arg)
{
    for (; looks > 0 && *at < set->used; looks--, (*at)++) {
        struct job *job = record_at(set, *at);
        if (!job_state_terminal(job_state_of(job))) /* so is what a removed one left behind */
            each(arg, job);
    }
    if (*at >= set->used)
        *at = 0;
}

void jobset_review(struct jobset *set, int64_t now)
{
    for (uint32_t i = 0; i < set->used; i++) {
        struct job *job = record_at(set, i);
        if (!job_state_terminal(job_state_of(job))) /* so is what a removed one left behind */
            scheduler_review(set->scheduler, job, now);
    }
}

void jobset_set_queue(struct jobset *set, struct job *job, uint8_t queue, int64_t now)
{
    bool queued = job->queued || job->parked;
    scheduler_unqueue(set->scheduler, job);
    set->in_queue[job->queue]--;
    count_out(set, job);
    job->queue = queue;
    set->in_queue[queue]++;
    count_in(set, job);
    if (queued)
        scheduler_queue(set->scheduler, job, now);
}

void jobset_change(struct jobset *set, struct job *job, const struct job *as,
                   const struct resources *wanted, int64_t now)
{
    bool queued = job->queued || job->parked;
    scheduler_unqueue(set->scheduler, job);
    uint32_t alarm_at = job->alarm_at; /* it may wait for its begin time */
    scheduler_forget(set->scheduler, job);
    scheduler_learn(set->scheduler, job, wanted);
    job->alarm_at = alarm_at;
    count_out(set, job);
    job->level = as->level;
    count_in(set, job);
    job->class = as->class;
    job->estimate_us = as->estimate_us;
    jobset_set_queue(set, job, as->queue, now);
    if (queued)
        scheduler_queue(set->scheduler, job, now);
}

size_t jobset_move_some(struct jobset *set, struct jobset_move *move, int64_t now, uint64_t *ret,
                        size_t most)
{
    size_t count = 0;
    for (; move->at < set->used && count < most; move->at++) {
        struct job *job = record_at(set, move->at);
        /* A removed one leaves a terminal state behind. */
        if (job->queue != move->from || job_state_terminal(job_state_of(job)))
            continue;
        jobset_set_queue(set, job, move->to, now);
        ret[count++] = job->id;
    }
    if (move->at >= set->used)
        move->at = 0;
    return count;
}

void jobset_remove(struct jobset *set, struct job *job)
{
    assert(job_state_terminal(job_state_of(job)));
    uint32_t number = set->slots[hash_slot(set, job->id)];
    set->counts[job_state_of(job)]--;
    count_out(set, job);
    hash_delete(set, job->id);
    set->in_queue[job->queue]--;
    scheduler_forget(set->scheduler, job);
    job->request = set->free_head;
    set->free_head = number;
}

void jobset_each(const struct jobset *set, void (*each)(void *arg, const struct job *job),
                 void *arg)
{
    for (uint32_t i = 0; i < set->used; i++) {
        const struct job *job = record_at(set, i);
        if (!job_state_terminal(job_state_of(job))) /* so is what a removed one left behind */
            each(arg, job);
    }
}

size_t jobset_in_queue(const struct jobset *set, uint8_t queue)
{
    return set->in_queue[queue];
}

size_t jobset_waiting_in(const struct jobset *set, uint8_t queue)
{
    return set->in_state[queue][JOB_STATE_PENDING];
}

size_t jobset_in_state(const struct jobset *set, uint8_t queue, enum job_state state)
{
    return set->in_state[queue][state];
}

size_t jobset_waiting_at(const struct jobset *set, uint8_t queue, enum job_priority level)
{
    return set->waiting_at[queue][level];
}

size_t jobset_count(const struct jobset *set, enum job_state state)
{
    return set->counts[state];
}

size_t jobset_waiting_of(const struct jobset *set, uint32_t uid)
{
    size_t at = user_at(set, uid);
    return at < set->user_count && set->users[at].uid == uid ? set->users[at].waiting : 0;
}
