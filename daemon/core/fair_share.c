#include "daemon/core/fair_share.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Half-lives after which the base of the scale is moved, long before a double overflows. */
#define REBASE 64.0

struct user {
    uint32_t uid;
    uint32_t running; /* when none is, the rate is exactly 0, whatever was rounded */
    double shares;
    double rate;
    double level; /* V(t) = level + rate * G(t) */
};

struct by_uid {
    uint32_t uid, user;
};

struct fair_share {
    double half_life; /* seconds; 0: no decay */
    int64_t base;     /* 2^0; moves */
    double growth;    /* G(now) */
    double scale;     /* 2^(now/h) */
    int64_t now;
    struct user *users;
    struct by_uid *index; /* sorted */
    size_t count, room;
};

struct fair_share *fair_share_new(int64_t half_life_us)
{
    struct fair_share *share = xcalloc(1, sizeof(*share));
    share->half_life = (double)half_life_us / US_PER_SECOND;
    share->base = share->now = INT64_MIN;
    return share;
}

void fair_share_free(struct fair_share *share)
{
    if (share == NULL)
        return;
    free(share->users);
    free(share->index);
    free(share);
}

struct fair_share *fair_share_copy(const struct fair_share *share)
{
    struct fair_share *copy = xmalloc(sizeof(*copy));
    *copy = *share;
    copy->users = xreallocarray(NULL, share->room + 1, sizeof(*share->users));
    copy->index = xreallocarray(NULL, share->room + 1, sizeof(*share->index));
    if (share->count > 0) {
        memcpy(copy->users, share->users, share->count * sizeof(*share->users));
        memcpy(copy->index, share->index, share->count * sizeof(*share->index));
    }
    return copy;
}

void fair_share_put_back(struct fair_share *share, const struct fair_share *copy)
{
    struct fair_share *again = fair_share_copy(copy);
    free(share->users);
    free(share->index);
    *share = *again;
    free(again);
}

static size_t position_of(const struct fair_share *share, uint32_t uid)
{
    size_t low = 0;
    for (size_t high = share->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (share->index[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t fair_share_user(struct fair_share *share, uint32_t uid)
{
    size_t at = position_of(share, uid);
    if (at < share->count && share->index[at].uid == uid)
        return share->index[at].user;
    if (share->count == share->room) {
        share->room = share->room == 0 ? 16 : share->room * 2;
        share->users = xreallocarray(share->users, share->room, sizeof(*share->users));
        share->index = xreallocarray(share->index, share->room, sizeof(*share->index));
    }
    memmove(&share->index[at + 1], &share->index[at], (share->count - at) * sizeof(*share->index));
    share->index[at] = (struct by_uid){.uid = uid, .user = (uint32_t)share->count};
    share->users[share->count] = (struct user){.uid = uid, .shares = 1};
    return share->count++;
}

void fair_share_set(struct fair_share *share, size_t user, double shares)
{
    assert(shares > 0);
    share->users[user].shares = shares;
}

static double seconds_since_base(const struct fair_share *share, int64_t now)
{
    return (double)(now - share->base) / US_PER_SECOND;
}

/* G of a time that may be past. */
static double growth_at(const struct fair_share *share, int64_t at)
{
    double seconds = seconds_since_base(share, at);
    return share->half_life <= 0 ? seconds
                                 : share->half_life / M_LN2 * exp2(seconds / share->half_life);
}

/* V and G are both 2^(t/h) times something: a later base divides both alike. */
static void rebase(struct fair_share *share, int64_t now)
{
    double factor = exp2(-seconds_since_base(share, now) / share->half_life);
    for (size_t i = 0; i < share->count; i++)
        share->users[i].level *= factor;
    share->base = now;
}

void fair_share_advance(struct fair_share *share, int64_t now)
{
    if (now < share->now)
        share->base += now - share->now; /* the clock was put back: go on from here */
    if (share->base == INT64_MIN)
        share->base = now;
    share->now = now;
    if (share->half_life > 0 && seconds_since_base(share, now) / share->half_life > REBASE)
        rebase(share, now);
    share->scale =
        share->half_life > 0 ? exp2(seconds_since_base(share, now) / share->half_life) : 1;
    share->growth = growth_at(share, now);
}

static double value(const struct fair_share *share, const struct user *user)
{
    return user->level + user->rate * share->growth;
}

/* The level is chosen so that the value goes on from where it was. */
static void set_rate(struct fair_share *share, struct user *user, double rate)
{
    double before = value(share, user);
    user->rate = rate;
    user->level = before - rate * share->growth;
}

/* News that come late do not put the clock back. */
static void reach(struct fair_share *share, int64_t at)
{
    if (at > share->now)
        fair_share_advance(share, at);
}

void fair_share_add(struct fair_share *share, size_t user, double rate, int64_t started_at,
                    int64_t ended_at)
{
    if (ended_at <= started_at)
        return;
    reach(share, ended_at);
    share->users[user].level += rate * (growth_at(share, ended_at) - growth_at(share, started_at));
}

void fair_share_start(struct fair_share *share, size_t user, double rate, int64_t since)
{
    struct user *one = &share->users[user];
    one->running++;
    reach(share, since);
    set_rate(share, one, one->rate + rate);
    fair_share_add(share, user, rate, since, share->now);
}

void fair_share_end(struct fair_share *share, size_t user, double rate, int64_t now)
{
    struct user *one = &share->users[user];
    assert(one->running > 0);
    one->running--;
    reach(share, now);
    set_rate(share, one, one->running == 0 ? 0 : one->rate - rate);
}

double fair_share_order(const struct fair_share *share, size_t user)
{
    return value(share, &share->users[user]) / share->users[user].shares;
}

double fair_share_held(const struct fair_share *share, size_t user)
{
    return share->users[user].rate / share->users[user].shares;
}

double fair_share_usage(const struct fair_share *share, size_t user)
{
    return share->scale > 0 ? value(share, &share->users[user]) / share->scale : 0;
}

double fair_share_decay(int64_t half_life_us, double used, int64_t then, int64_t now)
{
    return half_life_us > 0 ? used * exp2(-(double)(now - then) / (double)half_life_us) : used;
}

double fair_share_past(int64_t half_life_us, double rate, int64_t started_at, int64_t ended_at,
                       int64_t now)
{
    double seconds = (double)(ended_at - started_at) / US_PER_SECOND;
    if (half_life_us > 0) {
        double half_life = (double)half_life_us / US_PER_SECOND;
        seconds = half_life / M_LN2 * (1 - exp2(-seconds / half_life));
    }
    return fair_share_decay(half_life_us, rate * seconds, ended_at, now);
}
