/* What a forecast says of such a state. */
#ifndef BATCHD_TESTS_UNIT_PREDICTED_STARTS_H
#define BATCHD_TESTS_UNIT_PREDICTED_STARTS_H

#include "tests/unit/random_state.h"

#include "daemon/core/forecast.h"

enum { RUNS = STATE_JOBS * 10 };

/* What started, in order. */
struct start {
    uint64_t id, turn;
    int64_t at, ends_at;
};

struct starts {
    struct start list[RUNS];
    size_t count;
    size_t most; /* the forecast ends with so many; 0: none */
};

static inline bool on_started(void *arg, const struct forecast_run *run)
{
    struct starts *starts = arg;
    ck_assert_uint_lt(starts->count, RUNS);
    starts->list[starts->count++] =
        (struct start){run->job->id, run->turn, run->started_at, run->ends_at};
    return starts->count != starts->most;
}

static inline bool on_ended(void *arg, const struct forecast_run *run)
{
    (void)arg;
    ck_assert_int_ge(run->ends_at, run->started_at);
    return true;
}

static const struct forecast_events events = {.started = on_started, .ended = on_ended};

/* Of what was built of it, which is used up. */
static inline void predict_built(const struct plan_state *state, struct built *built,
                                 struct starts *ret)
{
    const struct forecast_options options = {.scheduler = built->scheduler,
                                             .jobs = built->jobs,
                                             .begins = &built->begins,
                                             .waits = built->waits,
                                             .arrays = &built->arrays,
                                             .deadlines = &built->deadlines,
                                             .workers = state->workers,
                                             .now = state->now};
    struct forecast *forecast = forecast_new(&options, &events, ret);
    for (size_t i = 0; i < state->count; i++) {
        for (unsigned k = 0; k < state_runs(&state->jobs[i]); k++) {
            const struct forecast_run run = {.job = state->jobs[i].job,
                                             .is_task = state->jobs[i].array,
                                             .index = state->jobs[i].array ? (int64_t)k : -1,
                                             .started_at = state->jobs[i].started_at};
            forecast_add_run(forecast, &run, state->jobs[i].runs[k], state->jobs[i].predicted_us);
        }
    }
    forecast_go(forecast);
    forecast_free(forecast);
}

static inline void predict(const struct plan_state *before, struct starts *ret)
{
    struct plan_state state = *before;
    struct built built;
    state_build(&state, &built);
    predict_built(&state, &built, ret);
    state_done(&built);
}

static inline void check_same(const struct starts *theirs, const struct starts *ours, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(theirs->list[i].id, ours->list[i].id);
        ck_assert_uint_eq(theirs->list[i].turn, ours->list[i].turn);
        ck_assert_int_eq(theirs->list[i].at, ours->list[i].at);
        ck_assert_int_eq(theirs->list[i].ends_at, ours->list[i].ends_at);
    }
}

#endif
