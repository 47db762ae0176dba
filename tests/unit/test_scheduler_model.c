/* Jobset and scheduler against a naive model of them: a plain list that is searched for each
 * question, and each user's usage decayed step by step. Random submits, ends, retries, cancels,
 * holds, begin times, moves, pauses, changes of policy, new and deleted queues, and restarts from
 * what a store would hold. Nothing differs, nothing is promised twice, nothing is lost. */
#include "tests/unit/scheduler_model.h"
#include "tests/unit/suite.h"

#include <stdlib.h>

static void run_it(struct model *model, struct model_job *job)
{
    job->run = scheduler_run(model->scheduler, job->sched, model->now);
    ck_assert_int_eq(jobset_move(model->set, job->sched, JOB_EVENT_ASSIGN, model->now), 0);
    model_serve(model, job->queue);
    if (model->reserved != NULL && job->estimate_us > model->window)
        resources_take(&model->left_over, &job->wanted);
    job->state = RUNNING;
    job->started_at = model->now;
    job->ends_at = job->estimate_us == ESTIMATE_UNKNOWN ? NEVER : model->now + job->estimate_us;
}

static void check_round(struct model *model)
{
    struct model_job *job;
    const struct job *reserved;
    int64_t at;
    model->reserved = NULL;
    for (unsigned i = 0; i < QUEUES; i++)
        model->queues[i].closed = model->queues[i].blocked = false;
    scheduler_begin(model->scheduler, model->now);
    do {
        job = model_next(model);
        const struct job *theirs = scheduler_next(model->scheduler);
        ck_assert_ptr_eq(theirs, job == NULL ? NULL : job->sched);
        if (job != NULL)
            run_it(model, job);
    } while (job != NULL);
    reserved = scheduler_reserved(model->scheduler, &at);
    ck_assert_ptr_eq(reserved, model->reserved == NULL ? NULL : model->reserved->sched);
    if (reserved != NULL)
        ck_assert_int_eq(at, model->reserved_at);
}

/* ---- what happens to jobs ---- */

static void add_to_set(struct model *model, struct model_job *job)
{
    const struct job sched = {.id = job->id,
                              .uid = job->uid,
                              .level = job->level & JOB_LEVEL_MASK,
                              .queue = job->queue,
                              .since = job->since,
                              .estimate_us = job->estimate_us};
    enum job_state state = job->state == RUNNING ? JOB_STATE_STARTING : JOB_STATE_PENDING;
    job->sched = jobset_add(model->set, &sched, &job->wanted, JOBSET_PLAIN, state, model->now);
    if (job->held)
        jobset_block(model->set, job->sched, JOB_HELD);
    if (job->later)
        jobset_block(model->set, job->sched, JOB_LATER);
}

static uint8_t any_queue(const struct model *model)
{
    uint8_t number = (uint8_t)(rand() % QUEUES);
    return model->queues[number].exists ? number : 0;
}

static void submit(struct model *model, struct model_job *job)
{
    *job = (struct model_job){.id = ++model->next_id,
                              .uid = (uint32_t)(rand() % USERS),
                              .queue = any_queue(model),
                              .level = (uint8_t)(rand() % 5),
                              .since = model->now - rand() % SECONDS(50),
                              .estimate_us = rand() % 8 * SECONDS(25),
                              .wanted = amounts(1, 1),
                              .state = WAITING};
    model_came(model, job); /* it is added, and then it is blocked */
    job->held = rand() % 10 == 0;
    if (rand() % 6 == 0)
        job->estimate_us = ESTIMATE_UNKNOWN;
    if (rand() % 3 == 0)
        job->wanted = amounts((uint64_t)(1 + rand() % CPUS), (uint64_t)(rand() % 20));
    if (rand() % 8 == 0)
        job->wanted.amount[RESOURCE_MEMORY] = (uint64_t)(rand() % (MEMORY + 1));
    if (rand() % 10 == 0) {
        job->later = true;
        job->begin_at = model->now + rand() % SECONDS(100);
    }
    add_to_set(model, job);
}

static void leave(struct model *model, struct model_job *job, enum job_event event)
{
    ck_assert_int_eq(jobset_move(model->set, job->sched, event, model->now), 0);
    jobset_remove(model->set, job->sched);
    ck_assert_ptr_null(jobset_find(model->set, job->id));
    job->state = ABSENT;
}

/* Earlier or later than estimated. Some are run again. */
static void finish(struct model *model, struct model_job *job)
{
    scheduler_end(model->scheduler, job->run, model->now);
    ck_assert_uint_lt(model->ended_count, ENDED);
    model->ended[model->ended_count++] =
        (struct ended){job->uid, job->wanted, job->started_at, model->now};
    job->state = WAITING;
    if (rand() % 4 == 0) {
        ck_assert_int_eq(jobset_move(model->set, job->sched, JOB_EVENT_RETURN, model->now), 0);
        model_came(model, job);
        return;
    }
    ck_assert_int_eq(jobset_move(model->set, job->sched, JOB_EVENT_GO, model->now), 0);
    leave(model, job, rand() % 2 == 0 ? JOB_EVENT_SUCCEED : JOB_EVENT_FAIL);
}

static void change_waiting(struct model *model, struct model_job *job)
{
    int what = rand() % 8;
    if (what == 0) {
        leave(model, job, JOB_EVENT_CANCEL);
    } else if (what == 1 && !job->held) {
        jobset_block(model->set, job->sched, JOB_HELD);
        job->held = true;
    } else if (what <= 3 && job->held) {
        jobset_unblock(model->set, job->sched, JOB_HELD, model->now);
        jobset_set_since(model->set, job->sched, model->now, model->now);
        job->held = false;
        job->since = model->now;
        model_came(model, job);
    } else if (what == 4) {
        job->queue = any_queue(model);
        jobset_set_queue(model->set, job->sched, job->queue, model->now);
        model_came(model, job);
    }
}

/* ---- what happens to queues ---- */

static struct queue_settings random_settings(bool bounds)
{
    struct queue_settings settings = {.policy = (enum queue_policy)(rand() % QUEUE_POLICY_COUNT),
                                      .backfill = (enum queue_backfill)(rand() % 2),
                                      .slots = rand() % 2 == 0 ? 0 : (uint32_t)(rand() % 8),
                                      .per_user = rand() % 2 == 0 ? 0 : (uint32_t)(rand() % 4),
                                      .weight = (uint32_t)(rand() % 4)};
    if (bounds) {
        settings.ageing_us = SECONDS(150);
        settings.max_delay_us = SECONDS(900);
    }
    return settings;
}

static void add_queue(struct model *model, uint8_t number)
{
    struct model_queue *queue = &model->queues[number];
    *queue = (struct model_queue){.exists = true, .settings = random_settings(rand() % 2 == 0)};
    int theirs = scheduler_add_queue(model->scheduler, &queue->settings);
    ck_assert_int_ge(theirs, 0);
    ck_assert_uint_eq((unsigned)theirs, number);
    if (number >= model->lanes)
        model->lanes = number + 1U;
}

/* What waits and runs in it goes to another. */
static void delete_queue(struct model *model, uint8_t number, uint8_t to)
{
    for (int i = 0; i < JOBS; i++) {
        if (model->jobs[i].state == ABSENT || model->jobs[i].queue != number)
            continue;
        model->jobs[i].queue = to;
        model_came(model, &model->jobs[i]);
    }
    uint64_t moved[7]; /* in parts */
    struct jobset_move move = {.from = number, .to = to};
    do
        (void)jobset_move_some(model->set, &move, model->now, moved, 7);
    while (move.at != 0);
    scheduler_move_runs(model->scheduler, number, to);
    scheduler_remove_queue(model->scheduler, number);
    model->queues[number].exists = false;
    model->owed = model->owed == &model->queues[number] ? NULL : model->owed;
}

static void change_queues(struct model *model)
{
    uint8_t number = (uint8_t)(rand() % QUEUES);
    struct model_queue *queue = &model->queues[number];
    model->changes++;
    if (!queue->exists) {
        for (number = 0; model->queues[number].exists;)
            number++;
        add_queue(model, number);
    } else if (rand() % 4 == 0 && number > 0) {
        delete_queue(model, number, 0);
    } else if (rand() % 2 == 0) {
        queue->settings = random_settings(rand() % 2 == 0);
        scheduler_change_queue(model->scheduler, number, &queue->settings, model->now);
    } else {
        bool was_paused = queue->paused;
        queue->paused = rand() % 3 == 0;
        if (was_paused && !queue->paused)
            model_catch_up(model, number);
        scheduler_pause_queue(model->scheduler, number, queue->paused);
    }
}

/* ---- restart ---- */

static void new_scheduler(struct model *model)
{
    const struct scheduler_options options = {.total = amounts(CPUS, MEMORY),
                                              .queue = model->queues[0].settings,
                                              .half_life_us = (int64_t)HALF_LIFE_S * SECONDS(1)};
    model->scheduler = scheduler_new(&options);
    model->set = jobset_new(model->scheduler);
}

/* They keep their order; where one was deleted those behind it move up. */
static void restore_queues(struct model *model, uint8_t *ret_numbers)
{
    struct model_queue queues[QUEUES] = {0};
    uint8_t count = 0;
    for (unsigned i = 0; i < QUEUES; i++) {
        if (!model->queues[i].exists)
            continue;
        queues[count] = model->queues[i];
        if (count > 0)
            ck_assert_int_eq(scheduler_add_queue(model->scheduler, &queues[count].settings), count);
        scheduler_pause_queue(model->scheduler, count, queues[count].paused);
        ret_numbers[i] = count++;
    }
    memcpy(model->queues, queues, sizeof(queues));
    model->lanes = count;
    model->owed = NULL;
}

static struct model_job *next_run(struct model *model, uint64_t after)
{
    struct model_job *next = NULL;
    for (int i = 0; i < JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->state == RUNNING && job->run > after && (next == NULL || job->run < next->run))
            next = job;
    }
    return next;
}

static void restart(struct model *model)
{
    uint8_t numbers[QUEUES] = {0};
    uint64_t last = 0;
    struct model_job *job;
    jobset_free(model->set);
    scheduler_free(model->scheduler);
    new_scheduler(model);
    restore_queues(model, numbers);
    model->restarts++;
    for (int i = 0; i < JOBS; i++) {
        job = &model->jobs[(i * 7 + 3) % JOBS]; /* in whatever order */
        job->queue = numbers[job->queue];
        if (job->state != ABSENT)
            add_to_set(model, job);
    }
    for (size_t i = 0; i < model->ended_count; i++)
        scheduler_charge(model->scheduler, model->ended[i].uid, &model->ended[i].held,
                         model->ended[i].from, model->ended[i].to);
    uint64_t runs[JOBS];
    size_t count = 0;
    struct model_job *running[JOBS];
    for (; (job = next_run(model, last)) != NULL; last = job->run) {
        runs[count] = scheduler_run(model->scheduler, job->sched, job->started_at);
        running[count++] = job;
    }
    for (size_t i = 0; i < count; i++)
        running[i]->run = runs[i];
    for (uint8_t i = 0; i < model->lanes; i++)
        scheduler_set_served(model->scheduler, i, model->queues[i].served);
}

/* ---- steps ---- */

/* Decay and charge over the time that passes: the differential equation's own solution. */
static void pass(struct model *model, int64_t span)
{
    double seconds = (double)span / US_PER_SECOND;
    double kept = exp(-M_LN2 * seconds / HALF_LIFE_S);
    for (uint32_t user = 0; user < USERS; user++) {
        double gained = held_by(model, user) * HALF_LIFE_S / M_LN2 * (1 - kept);
        model->usage[user] = model->usage[user] * kept + gained;
        model->charged[user] += gained;
    }
    model->now += span;
    for (int i = 0; i < JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->state != WAITING || !job->later || job->begin_at > model->now)
            continue;
        job->later = false;
        job->since = job->begin_at;
        jobset_set_since(model->set, job->sched, job->since, model->now);
        jobset_unblock(model->set, job->sched, JOB_LATER, model->now);
        model_came(model, job);
    }
}

static void check_all(struct model *model)
{
    struct fair_share *share = scheduler_share(model->scheduler);
    size_t waiting = 0, running = 0, in_queue[QUEUES] = {0};
    scheduler_begin(model->scheduler, model->now);
    for (int i = 0; i < JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state == ABSENT)
            continue;
        waiting += job->state == WAITING;
        running += job->state == RUNNING;
        in_queue[job->queue]++;
        ck_assert_ptr_eq(jobset_find(model->set, job->id), job->sched);
        ck_assert_uint_eq(job->sched->queued, job->state == WAITING && !job->held && !job->later);
    }
    ck_assert_uint_eq(jobset_count(model->set, JOB_STATE_PENDING), waiting);
    ck_assert_uint_eq(jobset_count(model->set, JOB_STATE_STARTING), running);
    struct resources there = free_now(model);
    ck_assert_mem_eq(scheduler_free_resources(model->scheduler), &there, sizeof(there));
    const struct model_queue *owed = model_owed(model);
    ck_assert_int_eq(scheduler_owed(model->scheduler),
                     owed == NULL ? -1 : (int)(owed - model->queues));
    for (uint8_t i = 0; i < QUEUES; i++) {
        ck_assert_uint_eq(jobset_in_queue(model->set, i), in_queue[i]);
        if (model->queues[i].exists)
            ck_assert_uint_eq(scheduler_served(model->scheduler, i), model->queues[i].served);
    }
    for (uint32_t user = 0; user < USERS; user++) {
        double theirs = fair_share_usage(share, fair_share_user(share, user));
        ck_assert_double_eq_tol(theirs, model->usage[user], 1e-8 * (1 + model->charged[user]));
    }
}

static void random_step(struct model *model, bool changes)
{
    struct model_job *job = &model->jobs[rand() % JOBS];
    for (int tries = rand() % 8; job->state == WAITING && tries > 0; tries--)
        job = &model->jobs[rand() % JOBS]; /* rather one that comes or ends */
    pass(model, rand() % 3 == 0 ? rand() % SECONDS(20) : 0);
    if (job->state == ABSENT)
        submit(model, job);
    else if (job->state == RUNNING)
        finish(model, job);
    else
        change_waiting(model, job);
    if (changes && rand() % 40 == 0)
        change_queues(model);
    if (rand() % 250 == 0)
        restart(model);
    if (rand() % 4 == 0)
        check_round(model);
    if (rand() % 20 == 0)
        check_all(model);
}

/* Each policy and backfill, without and with ageing and bounds: half of them in one queue as it
 * is, half with queues that come, change and go. */
START_TEST(random_changes_match_the_model)
{
    struct model *model = calloc(1, sizeof(*model));
    bool changes = _i / 8 == 1;
    srand((unsigned)_i + 1);
    model->queues[0].exists = true;
    model->queues[0].settings =
        (struct queue_settings){.policy = (enum queue_policy)(_i % 4),
                                .backfill = (enum queue_backfill)(_i / 4 % 2),
                                .ageing_us = _i % 3 == 0 ? SECONDS(150) : 0,
                                .max_delay_us = _i % 3 == 0 ? SECONDS(900) : 0};
    model->lanes = 1;
    new_scheduler(model);
    for (int i = 0; i < STEPS; i++)
        random_step(model, changes);
    check_all(model);
    ck_assert_uint_gt(model->next_id, STEPS / 8);
    ck_assert_uint_gt(model->ended_count, STEPS / 20);
    ck_assert_uint_gt(model->restarts, 8);
    ck_assert(!changes || model->changes > 50);
    jobset_free(model->set);
    scheduler_free(model->scheduler);
    free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler against a model");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, random_changes_match_the_model, 0, SETTINGS);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
