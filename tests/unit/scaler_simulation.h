/* A day of work for a pool of workers, with a virtual clock: jobs arrive, wait first come first
 * served, and run on workers whose number the scaler says, or on as many as there may be from the
 * start. What the scaler must never do is checked at each of its steps. Times are microseconds. */
#ifndef BATCHD_TESTS_UNIT_SCALER_SIMULATION_H
#define BATCHD_TESTS_UNIT_SCALER_SIMULATION_H

#include "common/alloc.h"
#include "common/clock.h"
#include "daemon/core/scaler.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S US_PER_SECOND
#define SIM_WORKERS 128

struct sim_job {
    int64_t arrived, run_us;
    uint32_t cpus;
};

struct sim_worker {
    bool runs;
    uint32_t cpus;       /* of its job */
    int64_t ready_at;    /* it can take a job from then on */
    int64_t began, ends; /* of its job */
    int64_t idle_since;
};

/* What the machine does: its load for each processor, and whether it takes jobs. */
typedef void (*sim_machine_fn)(int64_t now, bool *ret_open, double *ret_load);

struct sim {
    const struct sim_job *jobs; /* by their arrival */
    size_t count, head, tail;   /* started, arrived */
    uint32_t min, max, cpus_free;
    int64_t hold_us;
    int64_t estimate_us; /* what is believed of each job; < 0: nothing */
    sim_machine_fn machine;
    bool fixed; /* always max workers */
    struct sim_worker workers[SIM_WORKERS];
    uint32_t there;
    struct scaler scaler;
    int64_t now;
    /* What came of it. */
    int64_t *delays; /* of each job */
    double worker_seconds;
    uint64_t ups, downs, turns; /* steps, and how often one was against the one before */
    int64_t last_up, last_turn_down, last_turn_up;
    int direction;
    const char *wrong; /* what must not be and was; NULL: nothing */
};

/* Not ck_assert: that writes into a pipe each time. */
static inline void sim_check(struct sim *sim, bool right, const char *what)
{
    if (!right && sim->wrong == NULL)
        sim->wrong = what;
}

static inline bool sim_free(const struct sim *sim, const struct sim_worker *worker)
{
    return !worker->runs && worker->ready_at <= sim->now;
}

static inline void sim_end_jobs(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->there; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (!worker->runs || worker->ends > sim->now)
            continue;
        worker->runs = false;
        worker->idle_since = worker->ends;
        sim->cpus_free += worker->cpus;
    }
}

static inline struct sim_worker *sim_find_free(struct sim *sim)
{
    for (uint32_t i = sim->there; i > 0; i--) {
        if (sim_free(sim, &sim->workers[i - 1]))
            return &sim->workers[i - 1];
    }
    return NULL;
}

static inline void sim_start_jobs(struct sim *sim, bool open)
{
    struct sim_worker *worker;
    while (sim->tail < sim->count && sim->jobs[sim->tail].arrived <= sim->now)
        sim->tail++;
    while (open && sim->head < sim->tail && sim->jobs[sim->head].cpus <= sim->cpus_free &&
           (worker = sim_find_free(sim)) != NULL) {
        const struct sim_job *job = &sim->jobs[sim->head];
        sim->delays[sim->head++] = sim->now - job->arrived;
        sim->cpus_free -= job->cpus;
        worker->runs = true;
        worker->cpus = job->cpus;
        worker->began = sim->now;
        worker->ends = sim->now + job->run_us;
    }
}

static inline void sim_note_step(struct sim *sim, int direction)
{
    if (direction < 0) /* slowly: not within hold_us after a step up */
        sim_check(sim, sim->now - sim->last_up >= sim->hold_us, "down soon after up");
    if (sim->direction == -direction) {
        int64_t *last = direction < 0 ? &sim->last_turn_down : &sim->last_turn_up;
        sim_check(sim, sim->now - *last >= sim->hold_us, "two turns the same way");
        *last = sim->now;
        sim->turns++;
    }
    if (direction > 0)
        sim->last_up = sim->now;
    sim->ups += direction > 0;
    sim->downs += direction < 0;
    sim->direction = direction;
}

/* The one that has been idle longest goes. False: none is idle. */
static inline bool sim_let_one_go(struct sim *sim)
{
    struct sim_worker *oldest = NULL;
    for (uint32_t i = 0; i < sim->there; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (sim_free(sim, worker) && (oldest == NULL || worker->idle_since < oldest->idle_since))
            oldest = worker;
    }
    if (oldest == NULL)
        return false;
    memmove(oldest, oldest + 1,
            (size_t)(&sim->workers[sim->there] - (oldest + 1)) * sizeof(*oldest));
    sim->there--;
    return true;
}

static inline void sim_put_workers(const struct sim *sim, struct scaler_input *input)
{
    for (uint32_t i = 0; i < sim->there; i++) {
        const struct sim_worker *worker = &sim->workers[i];
        input->busy += worker->runs;
        input->soon += worker->runs && sim->estimate_us >= 0 &&
                       sim->estimate_us <= SCALER_START_US &&
                       sim->now - worker->began < SCALER_START_US;
    }
}

static inline void sim_scale(struct sim *sim, bool open, double load)
{
    const uint32_t before = sim->there;
    const struct scaler_class class = {.waiting = sim->tail - sim->head,
                                       .estimate_us = sim->estimate_us};
    struct scaler_input input = {.now = sim->now,
                                 .min = sim->min,
                                 .max = sim->max,
                                 .workers = sim->there,
                                 .classes = &class,
                                 .class_count = 1,
                                 .open = open,
                                 .load = load};
    struct scaler_decision decision;
    sim_put_workers(sim, &input);
    if (sim->head < sim->tail && sim_find_free(sim) == NULL)
        input.room = sim->cpus_free / sim->jobs[sim->head].cpus;
    scaler_step(&sim->scaler, &input, &decision);
    sim_check(sim, decision.needed <= decision.kept, "needed is above kept");
    sim_check(sim, decision.needed >= sim->min && decision.kept <= sim->max, "out of bounds");
    while (sim->there < decision.needed) {
        sim->workers[sim->there++] =
            (struct sim_worker){.ready_at = sim->now + SCALER_START_US, .idle_since = sim->now};
    }
    while (sim->there > decision.kept && sim_let_one_go(sim))
        continue;
    if (sim->there != before)
        sim_note_step(sim, sim->there > before ? 1 : -1);
}

/* The next second, or what happens before: an end, an arrival, a worker that is ready. */
static inline int64_t sim_next(const struct sim *sim)
{
    int64_t next = (sim->now / S + 1) * S;
    if (sim->tail < sim->count && sim->jobs[sim->tail].arrived < next)
        next = sim->jobs[sim->tail].arrived;
    for (uint32_t i = 0; i < sim->there; i++) {
        const struct sim_worker *worker = &sim->workers[i];
        if (worker->runs && worker->ends < next)
            next = worker->ends;
        if (worker->ready_at > sim->now && worker->ready_at < next)
            next = worker->ready_at;
    }
    return next;
}

static inline void sim_turn(struct sim *sim)
{
    bool open = true;
    double load = 0;
    if (sim->machine != NULL)
        sim->machine(sim->now, &open, &load);
    sim_end_jobs(sim);
    sim_start_jobs(sim, open);
    if (!sim->fixed)
        sim_scale(sim, open, load);
}

static inline bool sim_all_idle(const struct sim *sim)
{
    bool any = sim->head < sim->count;
    for (uint32_t i = 0; i < sim->there; i++)
        any = any || sim->workers[i].runs;
    return !any;
}

/* Until all jobs have ended and so long after the first arrival has passed. */
static inline void sim_run(struct sim *sim, int64_t span)
{
    sim->scaler = (struct scaler){.hold_us = sim->hold_us};
    sim->delays = xcalloc(sim->count, sizeof(*sim->delays));
    sim->cpus_free = sim->max;
    sim->last_up = sim->last_turn_down = sim->last_turn_up = -sim->hold_us;
    sim->there = sim->fixed ? sim->max : 0;
    sim->now = sim->jobs[0].arrived / S * S;
    const int64_t until = sim->now + span;
    do {
        sim_turn(sim);
        int64_t next = sim_next(sim);
        sim->worker_seconds += (double)sim->there * (double)(next - sim->now) / (double)S;
        sim->now = next;
    } while (sim->now < until || !sim_all_idle(sim));
    ck_assert_msg(sim->wrong == NULL, "%s", sim->wrong);
}

static inline int sim_compare(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static inline double sim_mean(const struct sim *sim)
{
    double sum = 0;
    for (size_t i = 0; i < sim->count; i++)
        sum += (double)sim->delays[i] / (double)S;
    return sum / (double)sim->count;
}

/* Sorts the delays. */
static inline double sim_p99(struct sim *sim)
{
    qsort(sim->delays, sim->count, sizeof(*sim->delays), sim_compare);
    return (double)sim->delays[sim->count - 1 - sim->count / 100] / (double)S;
}

#endif
