#include "daemon/core/scaler.h"

static const char *const words[SCALER_REASON_COUNT] = {
    [SCALER_MINIMUM] = "minimum", [SCALER_WORK] = "work",     [SCALER_LATELY] = "lately",
    [SCALER_MAXIMUM] = "maximum", [SCALER_CLOSED] = "closed", [SCALER_LOAD] = "load"};

const char *scaler_reason_word(enum scaler_reason reason)
{
    return (unsigned)reason < SCALER_REASON_COUNT ? words[reason] : "?";
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- what is needed now ---- */

/* For how many workers these are work: each has as much as its start takes, or one of them. */
static uint64_t workers_for(const struct scaler_class *class)
{
    if (class->estimate_us < 0 || class->estimate_us >= SCALER_START_US)
        return class->waiting;
    uint64_t each = (uint64_t)(SCALER_START_US / (class->estimate_us + 1)); /* jobs of a worker */
    return class->waiting / each + (class->waiting % each != 0);
}

/* Beside those that are busy. */
static uint64_t more_for(const struct scaler_input *input)
{
    uint64_t more = 0;
    if (!input->open)
        return 0;
    for (size_t i = 0; i < input->class_count; i++)
        more += workers_for(&input->classes[i]);
    more = more > input->soon ? more - input->soon : 0;
    return smaller(more, input->room);
}

/* ---- what was needed lately ---- */

static int64_t slot_us(const struct scaler *scaler)
{
    return (int64_t)larger((uint64_t)scaler->hold_us / (SCALER_SLOTS - 1), 1);
}

/* Forgets what is older than hold_us. */
static void advance(struct scaler *scaler, int64_t now)
{
    int64_t slot = now / slot_us(scaler);
    bool all = !scaler->begun || slot - scaler->slot >= (int64_t)SCALER_SLOTS;
    for (unsigned i = 0; i < SCALER_SLOTS && all; i++)
        scaler->peaks[i] = 0;
    for (int64_t i = scaler->slot + 1; i <= slot && !all; i++)
        scaler->peaks[i % (int64_t)SCALER_SLOTS] = 0;
    scaler->slot = slot;
    scaler->begun = true;
}

static void note(struct scaler *scaler, uint32_t needed)
{
    uint32_t *newest = &scaler->peaks[scaler->slot % (int64_t)SCALER_SLOTS];
    *newest = needed > *newest ? needed : *newest;
    scaler->kept = needed > scaler->kept ? needed : scaler->kept;
}

static uint32_t peak(const struct scaler *scaler)
{
    uint32_t most = 0;
    for (unsigned i = 0; i < SCALER_SLOTS; i++)
        most = scaler->peaks[i] > most ? scaler->peaks[i] : most;
    return most;
}

/* What is not allowed any more is not kept in mind either: it would come back with the limit. */
static void forget_above(struct scaler *scaler, uint32_t most)
{
    for (unsigned i = 0; i < SCALER_SLOTS; i++)
        scaler->peaks[i] = scaler->peaks[i] > most ? most : scaler->peaks[i];
    scaler->kept = scaler->kept > most ? most : scaler->kept;
}

/* ---- the answer ---- */

/* On a machine that is at work already the number at most doubles in a second. */
static uint32_t damped(struct scaler *scaler, const struct scaler_input *input, uint32_t needed)
{
    uint32_t twice = input->workers > 0 ? 2 * input->workers : 1;
    if (input->load < SCALER_LOAD_MAX || needed <= input->workers)
        return needed;
    if (scaler->raised_at != 0 && input->now < scaler->raised_at + SCALER_DOUBLE_US)
        return input->workers;
    return needed < twice ? needed : twice;
}

static void lower(struct scaler *scaler, int64_t now, uint32_t floor)
{
    if (scaler->kept <= floor || now < scaler->lowered_at + slot_us(scaler))
        return;
    scaler->kept -= (scaler->kept - floor + 1) / 2;
    scaler->lowered_at = now;
}

static enum scaler_reason reason_of(const struct scaler_input *input,
                                    const struct scaler_decision *decision, uint64_t wanted,
                                    uint32_t undamped)
{
    if (!input->open)
        return SCALER_CLOSED;
    if (wanted > decision->most)
        return SCALER_MAXIMUM;
    if (undamped > decision->needed)
        return SCALER_LOAD;
    if (decision->kept > decision->needed)
        return SCALER_LATELY;
    return decision->needed <= input->min ? SCALER_MINIMUM : SCALER_WORK;
}

void scaler_step(struct scaler *scaler, const struct scaler_input *input,
                 struct scaler_decision *ret)
{
    bool begun = scaler->begun;
    uint32_t most = input->max > input->leaving ? input->max - input->leaving : 0;
    uint64_t wanted = input->busy + more_for(input);
    uint32_t undamped = (uint32_t)smaller(larger(wanted, input->min), most);
    *ret = (struct scaler_decision){.most = most, .needed = damped(scaler, input, undamped)};
    if (ret->needed < smaller(input->busy, input->max)) /* they have their job already */
        ret->needed = (uint32_t)smaller(input->busy, input->max);
    advance(scaler, input->now);
    forget_above(scaler, most);
    note(scaler, ret->needed);
    if (!begun) /* those of an earlier daemon were needed lately, for all that is known */
        note(scaler, input->workers < most ? input->workers : most);
    if (ret->needed > input->workers)
        scaler->raised_at = input->now;
    lower(scaler, input->now, peak(scaler));
    ret->kept = scaler->kept;
    ret->reason = reason_of(input, ret, wanted, undamped);
}
