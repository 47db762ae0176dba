#include "daemon/api/reason_texts.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "daemon/api/pressure_text.h"
#include "daemon/api/reason_gpus.h"
#include "daemon/api/users.h"
#include "daemon/api/wording.h"
#include "daemon/core/array_spec.h"
#include "daemon/engine/binding.h"
#include "daemon/engine/breakers.h"
#include "daemon/engine/outlook.h"
#include "daemon/store/attempt_rows.h"
#include "daemon/store/condition_rows.h"
#include "daemon/store/dependency_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of dependencies so many are named in a text. */
#define DEPENDENCIES_SHOWN 20U

static const char *const words[REASON_COUNT] = {
    [REASON_HELD] = "Held",
    [REASON_BEGIN_TIME] = "BeginTime",
    [REASON_RETRY_BACKOFF] = "RetryBackoff",
    [REASON_DEPENDENCY] = "Dependency",
    [REASON_ARRAY_LIMIT] = "ArrayLimit",
    [REASON_QUEUE_PAUSED] = "QueuePaused",
    [REASON_USER_LIMIT] = "UserLimit",
    [REASON_BREAKER_OPEN] = "BreakerOpen",
    [REASON_PRESSURE] = "Pressure",
    [REASON_DISK_LOW] = "DiskLow",
    [REASON_RESOURCES] = "Resources",
    [REASON_PRIORITY] = "Priority",
};

/* One reason while its text is written. */
struct account {
    const struct reason_subject *of;
    FILE *detail;
    char lifts[200];
    json_t *jobs;
    int64_t at;
    bool of_queue, of_user; /* which running jobs are in the way: of its queue, of its user */
    uint64_t hidden;        /* jobs in the way that the caller may not see */
    struct resources hidden_holds;
};

static const struct resource_names *names_of(const struct account *account)
{
    return &engine_limits(account->of->call->api->engine)->names;
}

/* "2 jobs". */
static void put_count(const struct account *account, uint64_t count, const char *noun)
{
    CLEANUP_FREE char *text = wording_count(count, NULL, noun);
    (void)fputs(text, account->detail);
}

static void put_number(const struct account *account, enum resource_kind kind, uint64_t amount)
{
    CLEANUP_FREE char *text = wording_number(kind, amount);
    (void)fputs(text, account->detail);
}

/* "4 cpus", "1.0G memory". */
static void put_amount(const struct account *account, enum resource_kind kind, uint64_t amount)
{
    if (kind == RESOURCE_REMOVED) {
        (void)fputs("a counter that the configuration no longer names", account->detail);
        return;
    }
    CLEANUP_FREE char *text = wording_amount(names_of(account), kind, amount, NULL);
    (void)fputs(text, account->detail);
}

/* Tasks of one array count once, and what is in the way in two ways. */
static void add_job(struct account *account, uint64_t id)
{
    size_t i;
    const json_t *one;
    json_array_foreach(account->jobs, i, one) {
        if ((uint64_t)json_integer_value(one) == id)
            return;
    }
    if (json_array_size(account->jobs) < REASON_JOBS_MAX)
        (void)json_array_append_new(account->jobs, json_integer((json_int_t)id));
}

/* " of alice" for one that is another user's than the job in question. */
static void put_owner(const struct account *account, const struct job *job)
{
    if (job->uid != account->of->job->uid)
        (void)fprintf(account->detail, " of %s",
                      users_name(account->of->call->api->users, job->uid));
}

/* "job 41", "job 41 of alice", or "a job of another user". */
static void put_job(struct account *account, const struct job *job)
{
    if (!access_job(account->of->call, job->uid)) {
        (void)fputs("a job of another user", account->detail);
        return;
    }
    (void)fprintf(account->detail, "job %" PRIu64, job->id);
    put_owner(account, job);
    add_job(account, job->id);
}

static void lift(struct account *account, const char *text)
{
    (void)snprintf(account->lifts, sizeof(account->lifts), "%s", text);
}

/* ---- what runs and is in the way ---- */

static bool is_in_way(const struct account *account, const struct job *job,
                      const struct resources *held)
{
    if (account->of_queue && job->queue != account->of->job->queue)
        return false;
    if (account->of_user)
        return job->uid == account->of->job->uid;
    if (account->of_queue)
        return true;
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++) {
        if (account->of->lack.amount[kind] > 0 && held->amount[kind] > 0)
            return true;
    }
    return false;
}

/* "job 41 holds 4 cpus, 1.0G memory" for what is lacking; `holds` is " holds " or " hold ". */
static void put_holding(const struct account *account, const char *holds,
                        const struct resources *held)
{
    const char *between = holds;
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++) {
        if (account->of->lack.amount[kind] == 0 || held->amount[kind] == 0)
            continue;
        (void)fputs(between, account->detail);
        put_amount(account, (enum resource_kind)kind, held->amount[kind]);
        between = ", ";
    }
}

static void add_running(void *arg, const struct job *job, const struct job_status *status,
                        const struct resources *held)
{
    struct account *account = arg;
    if (held == NULL || !is_in_way(account, job, held))
        return;
    if (!access_job(account->of->call, job->uid)) {
        account->hidden++;
        resources_add(&account->hidden_holds, held);
        return;
    }
    if (json_array_size(account->jobs) < REASON_JOBS_MAX) {
        (void)fprintf(account->detail, "; job %" PRIu64, job->id);
        if (status->is_task)
            (void)fprintf(account->detail, "_%" PRIu64, status->index);
        put_owner(account, job);
        if (account->of_queue)
            (void)fputs(" runs", account->detail);
        else
            put_holding(account, " holds ", held);
    }
    add_job(account, job->id);
}

static void put_running(struct account *account)
{
    account->hidden = 0;
    account->hidden_holds = (struct resources){.amount = {0}};
    engine_running_each(account->of->call->api->engine, add_running, account);
    bool one = account->hidden == 1;
    if (account->hidden == 0)
        return;
    (void)fputs("; ", account->detail);
    put_count(account, account->hidden, "job");
    (void)fputs(" of other users", account->detail);
    if (!account->of_queue)
        put_holding(account, one ? " holds " : " hold ", &account->hidden_holds);
    else
        (void)fputs(one ? " runs" : " run", account->detail);
}

/* So many of those that run must end. Queues are changed by those who may see all. */
static void lift_limit(struct account *account, uint32_t excess, const char *option)
{
    CLEANUP_FREE char *number = xasprintf("%u", excess);
    CLEANUP_FREE char *before = xstrdup(account->lifts);
    CLEANUP_FREE char *set =
        access_all(account->of->call)
            ? xasprintf(", or batchctl queue set %s --%s N", account->of->named->name, option)
            : xstrdup("");
    (void)snprintf(account->lifts, sizeof(account->lifts), "%s%s%s of %s %s%s", before,
                   before[0] == '\0' ? "" : ", and ", excess == 1 ? "one" : number,
                   before[0] == '\0' ? "them" : "those in its queue", excess == 1 ? "ends" : "end",
                   set);
}

/* ---- each reason ---- */

static void tell_held(struct account *account)
{
    (void)fputs("it is held", account->detail);
    (void)snprintf(account->lifts, sizeof(account->lifts), "batchctl release %" PRIu64,
                   account->of->job->id);
}

static void tell_begin(struct account *account)
{
    struct condition condition = {0};
    if (condition_rows_load(engine_db(account->of->call->api->engine), account->of->job->id,
                            &condition, NULL) == 0)
        account->at = condition.begin_at;
    (void)fputs("its begin time is to come", account->detail);
    (void)snprintf(account->lifts, sizeof(account->lifts),
                   "its begin time comes, or batchctl edit %" PRIu64 " --begin now",
                   account->of->job->id);
}

/* A damaged row says nothing. */
static void tell_failure(struct account *account)
{
    const struct job_row *row = account->of->row;
    struct attempt_row last;
    if (attempt_rows_last(engine_db(account->of->call->api->engine), &row->status, &last, NULL) < 0)
        last.kind = ATTEMPT_UNKNOWN;
    if (last.kind == ATTEMPT_REFUSED)
        (void)fprintf(account->detail,
                      "the machine had no room for its process (%s); it is tried again later",
                      last.status.outcome.message);
    else
        (void)fprintf(account->detail, "it failed %u of %u times and is tried again later",
                      row->status.charged, row->facts.retry.max_attempts);
}

/* Nobody has to do anything for it. */
static void tell_backoff(struct account *account)
{
    const struct job_row *row = account->of->row;
    const struct job *job = account->of->job;
    bool array = row->facts.array != NULL && !row->status.is_task;
    const struct engine *engine = account->of->call->api->engine;
    const bool own = row->status.is_task && engine_task_backoff_at(engine, &row->status) > 0;
    account->at = own ? row->status.retry_at : engine_backoff_at(engine, job);
    if (engine_lacks_binding(job) != NULL && !own) {
        (void)fputs(engine_lacks_binding(job), account->detail);
        lift(account, "batchd-worker is started anew");
        return;
    }
    if (array)
        (void)fputs(
            "all of its tasks that are left failed, or found no room, and are tried again later",
            account->detail);
    else
        tell_failure(account);
    (void)snprintf(account->lifts, sizeof(account->lifts),
                   "its time comes, or batchctl release %" PRIu64, job->id);
}

static void add_dependency(void *arg, const struct dependency_row *row)
{
    struct account *account = arg;
    const struct job *parent =
        jobset_find(engine_jobs(account->of->call->api->engine), row->what.parent);
    char text[64];
    if (row->done_at != DEPENDENCY_OPEN)
        return;
    if (account->hidden++ >= DEPENDENCIES_SHOWN)
        return;
    dependency_format(&row->what, text, sizeof(text));
    if (account->hidden > 1)
        (void)fputs(row->any ? " or " : " and ", account->detail);
    (void)fputs(text, account->detail);
    if (parent == NULL || !access_job(account->of->call, parent->uid))
        return;
    (void)fprintf(account->detail, " (%s)", job_state_word(job_state_of(parent)));
    add_job(account, row->what.parent);
}

static void tell_dependency(struct account *account)
{
    struct db *db = engine_db(account->of->call->api->engine);
    (void)fputs("it waits for ", account->detail);
    (void)dependency_rows_each(db, account->of->job->id, add_dependency, account, NULL);
    if (account->hidden > DEPENDENCIES_SHOWN)
        (void)fprintf(account->detail, " and %" PRIu64 " more",
                      account->hidden - DEPENDENCIES_SHOWN);
    (void)snprintf(account->lifts, sizeof(account->lifts),
                   "that is fulfilled, or batchctl edit %" PRIu64 " --depends ''",
                   account->of->job->id);
}

static void tell_array_limit(struct account *account)
{
    struct array_spec spec = {.ranges = NULL};
    struct array_progress tasks;
    uint64_t active = 0;
    (void)engine_array_live(account->of->call->api->engine, account->of->job->id, &tasks, &active);
    (void)array_spec_parse(account->of->row->facts.array, UINT64_MAX, &spec, NULL);
    (void)fprintf(account->detail, "%" PRIu64 " of its tasks %s, and at most %" PRIu64 " may",
                  active, active == 1 ? "runs" : "run", spec.limit);
    array_spec_done(&spec);
    lift(account, "one of its tasks ends");
}

static void tell_paused(struct account *account)
{
    (void)fprintf(account->detail, "queue %s is paused", account->of->named->name);
    lift(account, "the queue is resumed");
    if (access_all(account->of->call))
        (void)snprintf(account->lifts, sizeof(account->lifts), "batchctl queue resume %s",
                       account->of->named->name);
}

static void tell_user_limit(struct account *account)
{
    uint32_t limit = account->of->named->settings.per_user;
    uint32_t count = queue_running_of(account->of->queue, account->of->job->uid);
    (void)fputs("its user has ", account->detail);
    put_count(account, count, "job");
    (void)fprintf(account->detail, " running in queue %s, and at most %u may",
                  account->of->named->name, limit);
    account->of_queue = account->of_user = true;
    put_running(account);
    lift_limit(account, count < limit ? 1 : count - limit + 1, "per-user");
}

static void put_last_failure(const struct account *account, const struct breaker_failure *failed)
{
    const char *word = outcome_class_word(failed->class);
    if (failed->at == 0)
        return;
    if (failed->class == OUTCOME_SIGNAL) {
        char name[16];
        format_signal(failed->signal, name, sizeof(name));
        (void)fprintf(account->detail, ", the last by signal %s", name);
    } else if (failed->class == OUTCOME_EXIT) {
        (void)fprintf(account->detail, ", the last with exit %d", failed->exit_code);
    } else {
        (void)fprintf(account->detail, ", the last with %s", word);
    }
}

/* Those of queues are changed by those who may see all. */
static void tell_breaker(struct account *account)
{
    const struct engine *engine = account->of->call->api->engine;
    const struct breaker_entry *entry = engine_breaker_of(engine, account->of->job);
    if (entry == NULL) { /* it is on its way back to its queue */
        (void)fputs("the breaker that it waited for lets it go", account->detail);
        lift(account, "that is done");
        return;
    }
    const struct breaker *breaker = &entry->breaker;
    CLEANUP_FREE char *key = breakers_key(entry->kind, entry->name);
    if (breaker->state == BREAKER_FORCED_OPEN) {
        (void)fprintf(account->detail, "breaker %s was opened by hand", key);
    } else if (breaker->state == BREAKER_HALF_OPEN) {
        (void)fprintf(account->detail, "breaker %s is half open: ", key);
        put_count(account, breaker->probing, "job");
        (void)fprintf(account->detail, " of it %s to find out whether it goes well again",
                      breaker->probing == 1 ? "runs" : "run");
    } else {
        (void)fprintf(account->detail, "breaker %s is open: %u of its last %u ended badly", key,
                      breaker_failures(breaker), breaker->ends);
        put_last_failure(account, &entry->failed);
        (void)fputs("; some are tried again", account->detail);
        account->at = breaker->until;
    }
    if (entry->kind == ESTIMATE_OF_QUEUE && !access_all(account->of->call))
        lift(account, "they end well");
    else
        (void)snprintf(account->lifts, sizeof(account->lifts), "%sbatchctl breakers reset %.150s",
                       breaker->state == BREAKER_FORCED_OPEN ? "" : "they end well, or ", key);
}

static void tell_pressure(struct account *account)
{
    pressure_text(account->of->call->api->engine, account->of->job, account->detail, account->lifts,
                  sizeof(account->lifts));
}

static void tell_disk(struct account *account)
{
    disk_text(account->of->call->api->engine, account->of->job, account->detail, account->lifts,
              sizeof(account->lifts));
}

/* Processors come and go. */
static void tell_too_few_to_bind(struct account *account, uint64_t there)
{
    (void)fputs(", and jobs can be bound to ", account->detail);
    put_count(account, there, "processor");
    (void)fputs(": others are off, or batchd or batchd-worker may not use them", account->detail);
}

static void tell_never_fits(struct account *account)
{
    const struct resources *wanted = scheduler_wanted(account->of->scheduler, account->of->job);
    const struct resources *total = scheduler_total(account->of->scheduler);
    const char *before = "it asks for ";
    bool configured = false;
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++) {
        if (wanted->amount[kind] <= total->amount[kind])
            continue;
        configured = configured || kind != RESOURCE_BOUND;
        (void)fputs(before, account->detail);
        put_amount(account, (enum resource_kind)kind, wanted->amount[kind]);
        if (kind == RESOURCE_BOUND) {
            tell_too_few_to_bind(account, total->amount[kind]);
        } else if (kind != RESOURCE_REMOVED) {
            (void)fputs(", and this machine has ", account->detail);
            put_amount(account, (enum resource_kind)kind, total->amount[kind]);
            (void)fputs(" in all", account->detail);
        }
        before = "; it asks for ";
    }
    lift(account, configured ? "it is edited to ask for less, or the configuration gives more"
                             : "it is edited to ask for less, or these can be used again");
}

bool reason_lacks(const struct reason_subject *subject)
{
    static const struct resources nothing = {.amount = {0}};
    return !resources_fit(&subject->lack, &nothing);
}

bool reason_slots_full(const struct reason_subject *subject)
{
    uint32_t slots = subject->named->settings.slots;
    return slots > 0 && queue_running(subject->queue) >= slots;
}

static void tell_lack(struct account *account)
{
    const struct resources *wanted = scheduler_wanted(account->of->scheduler, account->of->job);
    const struct resources *there = scheduler_free_resources(account->of->scheduler);
    const char *before = "it asks for ";
    for (int kind = 0; kind < RESOURCE_COUNTED; kind++) {
        if (account->of->lack.amount[kind] == 0)
            continue;
        (void)fputs(before, account->detail);
        put_amount(account, (enum resource_kind)kind, wanted->amount[kind]);
        (void)fputs(" (", account->detail);
        put_number(account, (enum resource_kind)kind, there->amount[kind]);
        (void)fputs(" free)", account->detail);
        before = ", ";
    }
    put_running(account);
    reason_put_out_gpus(account->of->call->api->engine, account->of->job, account->detail);
    lift(account, "enough of that ends");
}

static void tell_gpus(struct account *account)
{
    reason_put_gpus(account->of->call->api->engine, account->of->job, account->detail);
    lift(account, scheduler_ever_fits(account->of->scheduler, account->of->job)
                      ? "enough of that ends"
                      : "these can be given to jobs again");
}

static void tell_slots(struct account *account)
{
    uint32_t slots = account->of->named->settings.slots;
    (void)fprintf(account->detail, "%squeue %s has ", account->lifts[0] == '\0' ? "" : "; ",
                  account->of->named->name);
    put_count(account, slots, "slot");
    (void)fputs(", all in use", account->detail);
    account->of_queue = true;
    put_running(account);
    lift_limit(account, queue_running(account->of->queue) - slots + 1, "slots");
}

/* It fits, and what is free is being kept for another, or nobody can run it now. */
static void tell_kept(struct account *account)
{
    int64_t at;
    const struct job *reserved = scheduler_reserved(account->of->scheduler, &at);
    if (reserved != NULL && reserved != account->of->job) {
        (void)fputs("what is free is kept for ", account->detail);
        put_job(account, reserved);
        lift(account, "that job starts");
        return;
    }
    (void)fputs("it is about to start, or waits for a worker", account->detail);
    lift(account, "a worker is free (workers.max)");
}

static void tell_reservation(struct account *account)
{
    int64_t at;
    if (scheduler_reserved(account->of->scheduler, &at) != account->of->job)
        return;
    (void)fputs("; it goes first and has a reservation", account->detail);
    account->at = at == NEVER ? 0 : at;
}

static void tell_resources(struct account *account)
{
    const struct resources installed = scheduler_installed(account->of->scheduler);
    const bool ever_fits = scheduler_ever_fits(account->of->scheduler, account->of->job);
    const bool lacks_gpus = reason_lacks_gpus(account->of->call->api->engine, account->of->job);
    if (!ever_fits &&
        !resources_fit(scheduler_wanted(account->of->scheduler, account->of->job), &installed)) {
        tell_never_fits(account);
        return;
    }
    if (!ever_fits || (lacks_gpus && !reason_lacks(account->of)))
        tell_gpus(account);
    else if (reason_lacks(account->of))
        tell_lack(account);
    if (reason_slots_full(account->of))
        tell_slots(account);
    else if (!reason_lacks(account->of) && !lacks_gpus)
        tell_kept(account);
    tell_reservation(account);
}

static void tell_priority(struct account *account)
{
    int64_t at;
    const struct job *first = queue_first(account->of->queue);
    const struct job *reserved = scheduler_reserved(account->of->scheduler, &at);
    const char *policy = queue_policy_word(account->of->named->settings.policy);
    (void)fprintf(account->detail, "others go first in queue %s (%s)", account->of->named->name,
                  policy);
    if (first != NULL) {
        (void)fputs(", first of all ", account->detail);
        put_job(account, first);
    }
    if (first != NULL && reserved == first && at != NEVER) {
        (void)fputs(", which has a reservation", account->detail);
        account->at = at;
    }
    lift(account, "they start or go");
    if (account->of->named->settings.policy == QUEUE_PRIORITY && account->of->job->level > 0)
        (void)snprintf(account->lifts, sizeof(account->lifts),
                       "they start or go, or batchctl edit %" PRIu64 " -p %s", account->of->job->id,
                       job_priority_word((enum job_priority)(account->of->job->level - 1U)));
}

static void (*const tellers[REASON_COUNT])(struct account *account) = {
    [REASON_HELD] = tell_held,
    [REASON_BEGIN_TIME] = tell_begin,
    [REASON_RETRY_BACKOFF] = tell_backoff,
    [REASON_DEPENDENCY] = tell_dependency,
    [REASON_ARRAY_LIMIT] = tell_array_limit,
    [REASON_QUEUE_PAUSED] = tell_paused,
    [REASON_USER_LIMIT] = tell_user_limit,
    [REASON_BREAKER_OPEN] = tell_breaker,
    [REASON_PRESSURE] = tell_pressure,
    [REASON_DISK_LOW] = tell_disk,
    [REASON_RESOURCES] = tell_resources,
    [REASON_PRIORITY] = tell_priority,
};

const char *reason_word(enum reason reason)
{
    return words[reason];
}

json_t *reason_view(const struct reason_subject *subject, enum reason reason)
{
    struct account account = {.of = subject};
    CLEANUP_FREE char *text = NULL;
    size_t bytes = 0;
    account.detail = open_memstream(&text, &bytes);
    account.jobs = json_array();
    if (account.detail == NULL)
        out_of_memory();
    tellers[reason](&account);
    if (fclose(account.detail) != 0)
        out_of_memory();
    json_t *object = json_object();
    json_put_text(object, "reason", words[reason]);
    json_put_text(object, "detail", text);
    json_put_text(object, "lifts", account.lifts);
    json_put(object, "jobs", account.jobs);
    json_put(object, "at", account.at > 0 ? json_integer(account.at) : json_null());
    return object;
}
