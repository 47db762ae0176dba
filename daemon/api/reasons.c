#include "daemon/api/reasons.h"

#include "daemon/api/reason_gpus.h"
#include "daemon/api/reason_texts.h"
#include "daemon/core/array_spec.h"
#include "daemon/engine/binding.h"
#include "daemon/engine/gate.h"
#include "daemon/engine/volumes.h"
#include "daemon/engine/breakers.h"

#define BIT(reason) (1U << (reason))

/* An array backs off when nothing else of it can start; what a task of it waits for is its own. */
static unsigned later_reason(const struct api *api, const struct job_row *row,
                             const struct job *job)
{
    bool backs_off = engine_backoff_at(api->engine, job) > 0;
    const bool no_room = engine_waits_for_room(api->engine, job);
    unsigned begin =
        job_blocked_by(job, JOB_LATER) && !backs_off && !no_room ? BIT(REASON_BEGIN_TIME) : 0;
    if (row->status.is_task)
        backs_off = engine_task_backoff_at(api->engine, &row->status) > 0 ||
                    engine_lacks_binding(job) != NULL;
    return begin | (backs_off ? BIT(REASON_RETRY_BACKOFF) : 0) |
           (no_room ? BIT(REASON_DISK_LOW) : 0);
}

/* Whether what it asks for is not given to a job, but memory is not there: others have it. */
static bool lacks_memory(const struct api *api, const struct job *job)
{
    const struct scheduler *scheduler = engine_scheduler(api->engine);
    const struct resources *wanted = scheduler_wanted(scheduler, job);
    return resources_fit(wanted, scheduler_free_resources(scheduler)) &&
           !resources_fit(wanted, scheduler_available(scheduler));
}

/* What is not about the jobs before it. */
static unsigned own_reasons(const struct api *api, const struct job_row *row, const struct job *job,
                            unsigned waits)
{
    return later_reason(api, row, job) | (job_blocked_by(job, JOB_HELD) ? BIT(REASON_HELD) : 0) |
           (job_blocked_by(job, JOB_DEPENDS) || engine_array_awaits(api->engine, job)
                ? BIT(REASON_DEPENDENCY)
                : 0) |
           (engine_breaker_keeps(api->engine, job) ? BIT(REASON_BREAKER_OPEN) : 0) |
           (engine_array_limited(api->engine, job->id) ? BIT(REASON_ARRAY_LIMIT) : 0) |
           (engine_takes(api->engine) ? 0 : BIT(REASON_PRESSURE)) |
           (engine_volumes_open(api->engine) ? 0 : BIT(REASON_DISK_LOW)) |
           ((waits & WAIT_QUEUE_PAUSED) != 0 ? BIT(REASON_QUEUE_PAUSED) : 0) |
           ((waits & WAIT_USER_LIMIT) != 0 ? BIT(REASON_USER_LIMIT) : 0);
}

static unsigned order_reasons(const struct api *api, const struct job *job, unsigned waits)
{
    const bool elsewhere = (waits & WAIT_RESOURCES) != 0 && lacks_memory(api, job);
    return ((waits & WAIT_RESOURCES) == 0 ? 0
            : elsewhere                   ? BIT(REASON_PRESSURE)
                                          : BIT(REASON_RESOURCES)) |
           ((waits & WAIT_PRIORITY) != 0 ? BIT(REASON_PRIORITY) : 0);
}

json_t *reasons_words(const struct api *api, const struct job_row *row)
{
    json_t *list = json_array();
    const struct job *job = jobset_find(engine_jobs(api->engine), row->facts.id);
    bool pending = row->status.state == JOB_STATE_PENDING;
    /* Of an array that runs the tasks to come may be held. */
    if (job == NULL || !(pending || (job_is_array(job) && !row->status.is_task)))
        return list;
    unsigned waits = scheduler_reasons(engine_scheduler(api->engine), job);
    unsigned reasons = own_reasons(api, row, job, waits);
    const unsigned keep = BIT(REASON_HELD) | BIT(REASON_BEGIN_TIME) | BIT(REASON_RETRY_BACKOFF) |
                          BIT(REASON_DEPENDENCY) | BIT(REASON_ARRAY_LIMIT) |
                          BIT(REASON_BREAKER_OPEN) | BIT(REASON_PRESSURE) | BIT(REASON_DISK_LOW);
    if (pending && (reasons & keep) == 0)
        reasons |= order_reasons(api, job, waits);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if ((reasons & BIT(i)) != 0)
            (void)json_array_append_new(list, json_string(reason_word((enum reason)i)));
    }
    return list;
}

/* Beside what the job's list says: Priority while others go first and it stands in the queue,
 * Resources while what is free is not enough, whoever goes first, and Pressure when it is
 * elsewhere. While the machine takes none nothing is kept for a job, and none is about to start. */
static unsigned all_reasons(const struct reason_subject *subject)
{
    unsigned waits = scheduler_reasons(subject->scheduler, subject->job);
    unsigned reasons = own_reasons(subject->call->api, subject->row, subject->job, waits);
    const bool ever_fits = scheduler_ever_fits(subject->scheduler, subject->job);
    if (subject->job->queued || !ever_fits)
        reasons |= order_reasons(subject->call->api, subject->job, waits);
    if ((reasons & (BIT(REASON_PRESSURE) | BIT(REASON_DISK_LOW))) != 0 && ever_fits)
        reasons &= ~BIT(REASON_RESOURCES);
    if (lacks_memory(subject->call->api, subject->job))
        reasons |= BIT(REASON_PRESSURE);
    if (reason_lacks(subject) || reason_lacks_gpus(subject->call->api->engine, subject->job) ||
        reason_slots_full(subject))
        reasons |= BIT(REASON_RESOURCES);
    return reasons;
}

bool reasons_waits(const struct api *api, const struct job_row *row)
{
    struct array_spec spec = {.ranges = NULL};
    struct array_progress tasks = row->status.tasks;
    uint64_t active = 0;
    if (row->facts.array == NULL || row->status.is_task)
        return row->status.state == JOB_STATE_PENDING;
    (void)array_spec_parse(row->facts.array, UINT64_MAX, &spec, NULL);
    (void)engine_array_live(api->engine, row->facts.id, &tasks, &active);
    uint64_t ended = tasks.completed + tasks.failed + tasks.cancelled;
    bool more = spec.total > ended + active;
    array_spec_done(&spec);
    return more;
}

json_t *reasons_view(const struct api_call *call, const struct job_row *row)
{
    struct engine *engine = call->api->engine;
    struct reason_subject subject = {.call = call,
                                     .row = row,
                                     .scheduler = engine_scheduler(engine),
                                     .job = jobset_find(engine_jobs(engine), row->facts.id)};
    json_t *list = json_array();
    if (subject.job == NULL || !reasons_waits(call->api, row))
        return list;
    subject.queue = scheduler_queue_at(subject.scheduler, subject.job->queue);
    subject.named = engine_queue_number(engine, subject.job->queue);
    const struct resources *wanted = scheduler_wanted(subject.scheduler, subject.job);
    const struct resources *there = scheduler_free_resources(subject.scheduler);
    resources_left(wanted, there, &subject.lack);
    unsigned reasons = all_reasons(&subject);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if ((reasons & BIT(i)) != 0)
            (void)json_array_append_new(list, reason_view(&subject, (enum reason)i));
    }
    return list;
}
