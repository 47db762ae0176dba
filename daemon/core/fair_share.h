/* Who has used how much: dominant-resource-seconds of each user, charged while jobs run, decaying
 * with a half-life, as Slurm's priority/multifactor does with processor-seconds:
 *     usage(t + d) = usage(t) * 2^(-d/h) + rate * integral of 2^(-s/h) for s = 0..d
 * Kept in closed form: V = usage * 2^(t/h) and G(t) = h/ln 2 * 2^(t/h), so that V grows by
 * rate * (G(t2) - G(t1)) and decay costs nothing. The order of users is that of V / shares.
 * A half-life of 0 means no decay: G(t) = t. */
#ifndef BATCHD_DAEMON_CORE_FAIR_SHARE_H
#define BATCHD_DAEMON_CORE_FAIR_SHARE_H

#include <stddef.h>
#include <stdint.h>

struct fair_share;

struct fair_share *fair_share_new(int64_t half_life_us);
void fair_share_free(struct fair_share *share);

/* Everything it knows, and that again. */
struct fair_share *fair_share_copy(const struct fair_share *share);
void fair_share_put_back(struct fair_share *share, const struct fair_share *copy);

/* The user's number here, a new user's too; it does not change. Shares begin at 1. */
size_t fair_share_user(struct fair_share *share, uint32_t uid);
void fair_share_set(struct fair_share *share, size_t user, double shares); /* above 0 */

/* From `since` on the user holds so much more of the machine (0 to 1), or so much less: the same
 * rate must be given for the end as for the start. An earlier `since` than that of the last advance
 * is charged for afterwards; an end is at the earliest then. */
void fair_share_start(struct fair_share *share, size_t user, double rate, int64_t since);
void fair_share_end(struct fair_share *share, size_t user, double rate, int64_t now);
/* The user held so much for a time that is past; below 0: did not, although it was charged. */
void fair_share_add(struct fair_share *share, size_t user, double rate, int64_t started_at,
                    int64_t ended_at);

/* The time for which fair_share_order speaks. An earlier one than before is a clock that was put
 * back: usage stays as it is and goes on from there. */
void fair_share_advance(struct fair_share *share, int64_t now);
/* Least first: a number that orders users by usage / shares, at the time of the last advance,
 * start or end. */
double fair_share_order(const struct fair_share *share, size_t user);
/* What it holds now, per share: it orders users whose usage is the same. */
double fair_share_held(const struct fair_share *share, size_t user);
/* Dominant-resource-seconds, decayed to the same time. */
double fair_share_usage(const struct fair_share *share, size_t user);

/* What a use of the past counts at a later time, in the same unit. */
double fair_share_past(int64_t half_life_us, double rate, int64_t started_at, int64_t ended_at,
                       int64_t now);
/* And what so much of it, at `then`, does. */
double fair_share_decay(int64_t half_life_us, double used, int64_t then, int64_t now);

#endif
