#include "daemon/core/breaker.h"

#include <assert.h>
#include <stddef.h>

struct transition {
    enum breaker_state from;
    enum breaker_event event;
    enum breaker_state to;
};

/* An order is followed in every state: a reset of a closed one forgets its window. */
static const struct transition transitions[] = {
    {BREAKER_CLOSED, BREAKER_TRIP, BREAKER_OPEN},
    {BREAKER_OPEN, BREAKER_DUE, BREAKER_HALF_OPEN},
    {BREAKER_HALF_OPEN, BREAKER_PASS, BREAKER_CLOSED},
    {BREAKER_HALF_OPEN, BREAKER_FAIL, BREAKER_OPEN},
    {BREAKER_CLOSED, BREAKER_RESET, BREAKER_CLOSED},
    {BREAKER_OPEN, BREAKER_RESET, BREAKER_CLOSED},
    {BREAKER_HALF_OPEN, BREAKER_RESET, BREAKER_CLOSED},
    {BREAKER_FORCED_OPEN, BREAKER_RESET, BREAKER_CLOSED},
    {BREAKER_DISABLED, BREAKER_RESET, BREAKER_CLOSED},
    {BREAKER_CLOSED, BREAKER_FORCE, BREAKER_FORCED_OPEN},
    {BREAKER_OPEN, BREAKER_FORCE, BREAKER_FORCED_OPEN},
    {BREAKER_HALF_OPEN, BREAKER_FORCE, BREAKER_FORCED_OPEN},
    {BREAKER_FORCED_OPEN, BREAKER_FORCE, BREAKER_FORCED_OPEN},
    {BREAKER_DISABLED, BREAKER_FORCE, BREAKER_FORCED_OPEN},
    {BREAKER_CLOSED, BREAKER_DISABLE, BREAKER_DISABLED},
    {BREAKER_OPEN, BREAKER_DISABLE, BREAKER_DISABLED},
    {BREAKER_HALF_OPEN, BREAKER_DISABLE, BREAKER_DISABLED},
    {BREAKER_FORCED_OPEN, BREAKER_DISABLE, BREAKER_DISABLED},
    {BREAKER_DISABLED, BREAKER_DISABLE, BREAKER_DISABLED},
};

static const char *const state_words[] = {
    [BREAKER_CLOSED] = "closed",       [BREAKER_OPEN] = "open",
    [BREAKER_HALF_OPEN] = "half_open", [BREAKER_FORCED_OPEN] = "forced_open",
    [BREAKER_DISABLED] = "disabled",
};
static_assert(sizeof(state_words) / sizeof(state_words[0]) == BREAKER_STATE_COUNT, "a word each");

int breaker_next(enum breaker_state state, enum breaker_event event)
{
    for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
        if (transitions[i].from == state && transitions[i].event == event)
            return (int)transitions[i].to;
    }
    return -1;
}

const char *breaker_state_word(enum breaker_state state)
{
    return (unsigned)state < BREAKER_STATE_COUNT ? state_words[state] : "?";
}

/* What belongs to the state that it leaves goes. The window that opened it stays to be looked at,
 * until it is closed again. */
static bool move(struct breaker *breaker, enum breaker_event event, int64_t now)
{
    int next = breaker_next(breaker->state, event);
    assert(next >= 0);
    bool changed = (enum breaker_state)next != breaker->state;
    breaker->state = (enum breaker_state)next;
    breaker->good = breaker->bad = breaker->probing = 0;
    breaker->until = 0;
    if (changed)
        breaker->changed_at = now;
    if (breaker->state == BREAKER_CLOSED || breaker->state == BREAKER_DISABLED) {
        breaker->window = 0;
        breaker->ends = breaker->openings = 0;
    }
    return changed;
}

int64_t breaker_open_span(const struct breaker_rule *rule, uint32_t openings)
{
    int64_t span = rule->open_us;
    for (; openings > 1 && span < rule->open_max_us; openings--)
        span = span > rule->open_max_us / 2 ? rule->open_max_us : span * 2;
    return span < rule->open_max_us ? span : rule->open_max_us;
}

static bool open_for_a_while(struct breaker *breaker, const struct breaker_rule *rule,
                             enum breaker_event event, int64_t now)
{
    (void)move(breaker, event, now);
    if (breaker->openings < UINT32_MAX)
        breaker->openings++;
    breaker->until = now + breaker_open_span(rule, breaker->openings);
    return true;
}

static bool reached(uint32_t failed, uint32_t of, uint32_t rate)
{
    return (uint64_t)failed * 100 >= (uint64_t)of * rate;
}

/* ---- what may start ---- */

uint32_t breaker_room(const struct breaker *breaker, const struct breaker_rule *rule)
{
    uint32_t given = breaker->good + breaker->bad + breaker->probing;
    return breaker->state == BREAKER_HALF_OPEN && given < rule->probes ? rule->probes - given : 0;
}

bool breaker_allows(const struct breaker *breaker, const struct breaker_rule *rule)
{
    return breaker->state == BREAKER_CLOSED || breaker->state == BREAKER_DISABLED ||
           breaker_room(breaker, rule) > 0;
}

void breaker_take_probe(struct breaker *breaker)
{
    assert(breaker->state == BREAKER_HALF_OPEN);
    breaker->probing++;
}

void breaker_give_back(struct breaker *breaker)
{
    assert(breaker->state == BREAKER_HALF_OPEN && breaker->probing > 0);
    breaker->probing--;
}

/* ---- what ends ---- */

/* The oldest ends leave a window that is full, or has become smaller with the configuration. */
static void remember(struct breaker *breaker, const struct breaker_rule *rule, bool failed)
{
    breaker->window = breaker->window << 1U | failed;
    breaker->ends++;
    if (breaker->ends > rule->window)
        breaker->ends = rule->window;
    if (breaker->ends < BREAKER_WINDOW_MAX)
        breaker->window &= (UINT64_C(1) << breaker->ends) - 1;
}

bool breaker_ended(struct breaker *breaker, const struct breaker_rule *rule, bool failed,
                   int64_t now)
{
    if (breaker->state != BREAKER_CLOSED)
        return false;
    remember(breaker, rule, failed);
    if (breaker->ends < rule->minimum ||
        !reached(breaker_failures(breaker), breaker->ends, rule->rate))
        return false;
    return open_for_a_while(breaker, rule, BREAKER_TRIP, now);
}

/* When as many probes have ended as may. */
static bool decide(struct breaker *breaker, const struct breaker_rule *rule, int64_t now)
{
    if (breaker->good + breaker->bad < rule->probes)
        return false;
    if (reached(breaker->bad, breaker->good + breaker->bad, rule->rate))
        return open_for_a_while(breaker, rule, BREAKER_FAIL, now);
    return move(breaker, BREAKER_PASS, now);
}

bool breaker_probe_ended(struct breaker *breaker, const struct breaker_rule *rule, bool failed,
                         int64_t now)
{
    breaker_give_back(breaker);
    breaker->good += !failed;
    breaker->bad += failed;
    return decide(breaker, rule, now);
}

/* ---- what else changes it ---- */

bool breaker_advance(struct breaker *breaker, const struct breaker_rule *rule, int64_t now)
{
    if (breaker->state == BREAKER_HALF_OPEN) /* fewer probes may be asked for than before */
        return decide(breaker, rule, now);
    if (breaker->state != BREAKER_OPEN)
        return false;
    int64_t latest = now + breaker_open_span(rule, breaker->openings);
    if (breaker->until > latest)
        breaker->until = latest;
    return breaker->until <= now && move(breaker, BREAKER_DUE, now);
}

bool breaker_order(struct breaker *breaker, enum breaker_event order, int64_t now)
{
    return move(breaker, order, now);
}

/* ---- looks ---- */

unsigned breaker_failures(const struct breaker *breaker)
{
    return (unsigned)__builtin_popcountll(breaker->window);
}

bool breaker_calm(const struct breaker *breaker, const struct breaker_rule *rule)
{
    return breaker->state == BREAKER_DISABLED ||
           (breaker->state == BREAKER_CLOSED &&
            (breaker->ends == 0 ||
             !reached(2 * breaker_failures(breaker), breaker->ends, rule->rate)));
}

bool breaker_blank(const struct breaker *breaker)
{
    return breaker->state == BREAKER_CLOSED && breaker->window == 0;
}
