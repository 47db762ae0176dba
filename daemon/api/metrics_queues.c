/* Of queues and of users: what waits and runs, and what was counted since the start. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/exposition.h"
#include "daemon/api/metrics.h"
#include "daemon/api/verb.h"
#include "daemon/core/meters.h"
#include "daemon/engine/oldest.h"
#include "daemon/engine/queues.h"

/* States of jobs that have not ended: those before JOB_STATE_COMPLETED. */
#define STATES JOB_STATE_COMPLETED
#define OTHER "_other"

struct shown {
    const char *name;
    uint64_t jobs[STATES];
    uint32_t slots, used, paused; /* of several: those that are */
    int64_t oldest;
    struct queue_meters meters;
};

struct shown_queues {
    const struct api *api;
    struct shown queues[METRICS_QUEUES + 1]; /* the last are the others */
    size_t count;
};

static void add_queue(const struct api *api, const struct named_queue *queue, struct shown *shown)
{
    const struct jobset *jobs = engine_jobs(api->engine);
    int64_t oldest = engine_oldest_in(api->engine, queue->number);
    for (unsigned state = 0; state < STATES; state++)
        shown->jobs[state] += jobset_in_state(jobs, queue->number, (enum job_state)state);
    shown->slots += queue->settings.slots;
    shown->used += queue_running(scheduler_queue_at(engine_scheduler(api->engine), queue->number));
    shown->paused += queue->paused;
    if (oldest > 0 && (shown->oldest == 0 || oldest < shown->oldest))
        shown->oldest = oldest;
    queue_meters_merge(&shown->meters, &api->options.meters->queues[queue->number]);
}

/* By its number, so that what is shown by its name today is so tomorrow; "default" has 0. */
static void gather_one(void *arg, const struct named_queue *queue)
{
    struct shown_queues *shown = arg;
    bool alone = queue->number < METRICS_QUEUES;
    struct shown *line = &shown->queues[alone ? shown->count++ : METRICS_QUEUES];
    line->name = alone ? queue->name : OTHER;
    add_queue(shown->api, queue, line);
}

static struct shown_queues *gather(const struct api *api)
{
    struct shown_queues *shown = xcalloc(1, sizeof(*shown));
    shown->api = api;
    engine_queues_each(api->engine, gather_one, shown);
    if (api->options.meters->has_gone) {
        shown->queues[METRICS_QUEUES].name = OTHER;
        queue_meters_merge(&shown->queues[METRICS_QUEUES].meters, &api->options.meters->gone);
    }
    if (shown->queues[METRICS_QUEUES].name != NULL)
        shown->queues[shown->count++] = shown->queues[METRICS_QUEUES];
    return shown;
}

static struct labels of_queue(const struct shown *queue)
{
    return (struct labels){.name = {"queue"}, .value = {queue->name}};
}

/* ---- gauges ---- */

static void put_jobs(FILE *out, const struct shown_queues *shown)
{
    exposition_family(out, "batchd_jobs", "gauge",
                      "Jobs that have not ended, by state; an array counts as one.");
    for (size_t i = 0; i < shown->count; i++) {
        for (unsigned state = 0; state < STATES; state++) {
            const struct labels labels = {
                .name = {"queue", "state"},
                .value = {shown->queues[i].name, job_state_word((enum job_state)state)}};
            exposition_count(out, "batchd_jobs", &labels, shown->queues[i].jobs[state]);
        }
    }
}

static double seconds_since(int64_t at, int64_t now)
{
    return at == 0 || now < at ? 0 : (double)(now - at) / US_PER_SECOND;
}

static void put_gauges(FILE *out, const struct shown_queues *shown)
{
    const int64_t now = clock_wall_us();
    exposition_family(out, "batchd_queue_oldest_pending_seconds", "gauge",
                      "How long the job waits that could have started first; 0: none waits.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct labels labels = of_queue(&shown->queues[i]);
        exposition_number(out, "batchd_queue_oldest_pending_seconds", &labels,
                          seconds_since(shown->queues[i].oldest, now));
    }
    exposition_family(out, "batchd_queue_slots", "gauge",
                      "Jobs of the queue that may run at the same time; 0: no limit.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct labels labels = of_queue(&shown->queues[i]);
        exposition_count(out, "batchd_queue_slots", &labels, shown->queues[i].slots);
    }
    exposition_family(out, "batchd_queue_slots_used", "gauge",
                      "Jobs of the queue that have their resources, tasks of arrays one by one.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct labels labels = of_queue(&shown->queues[i]);
        exposition_count(out, "batchd_queue_slots_used", &labels, shown->queues[i].used);
    }
    exposition_family(out, "batchd_queue_paused", "gauge", "1 while the queue starts nothing.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct labels labels = of_queue(&shown->queues[i]);
        exposition_count(out, "batchd_queue_paused", &labels, shown->queues[i].paused);
    }
}

/* ---- counters ---- */

static void put_finished(FILE *out, const struct shown_queues *shown)
{
    exposition_family(out, "batchd_jobs_finished_total", "counter",
                      "Jobs that ended, tasks of arrays one by one, by how.");
    for (size_t i = 0; i < shown->count; i++) {
        for (unsigned result = 0; result < METER_RESULT_COUNT; result++) {
            const struct labels labels = {
                .name = {"queue", "result"},
                .value = {shown->queues[i].name, meter_result_words[result]}};
            exposition_count(out, "batchd_jobs_finished_total", &labels,
                             shown->queues[i].meters.finished[result]);
        }
    }
}

static const struct {
    const char *name, *help;
    size_t offset; /* in struct queue_meters */
} counters[] = {
    {"batchd_jobs_submitted_total", "Jobs submitted, tasks of arrays one by one.",
     offsetof(struct queue_meters, submitted)},
    {"batchd_jobs_started_total", "Attempts that started.", offsetof(struct queue_meters, started)},
    {"batchd_job_retries_total", "Attempts that ended and were followed by another.",
     offsetof(struct queue_meters, retried)},
    {"batchd_log_bytes_total", "Output of the last attempts of jobs that ended.",
     offsetof(struct queue_meters, output_bytes)},
    {"batchd_log_dropped_bytes_total", "Of it, what was cut or could not be kept.",
     offsetof(struct queue_meters, output_lost_bytes)},
};

static uint64_t counter_of(const struct queue_meters *meters, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)meters + offset);
}

static void put_io(FILE *out, const struct shown_queues *shown)
{
    static const char name[] = "batchd_job_io_bytes_total";
    exposition_family(out, name, "counter",
                      "What the last attempts of jobs that ended read from disks and wrote.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct queue_meters *meters = &shown->queues[i].meters;
        struct labels labels = {.name = {"queue", "direction"},
                                .value = {shown->queues[i].name, "read"}};
        exposition_count(out, name, &labels, meters->read_bytes);
        labels.value[1] = "write";
        exposition_count(out, name, &labels, meters->written_bytes);
    }
}

static void put_counters(FILE *out, const struct shown_queues *shown)
{
    for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++) {
        exposition_family(out, counters[c].name, "counter", counters[c].help);
        for (size_t i = 0; i < shown->count; i++) {
            const struct labels labels = of_queue(&shown->queues[i]);
            exposition_count(out, counters[c].name, &labels,
                             counter_of(&shown->queues[i].meters, counters[c].offset));
        }
    }
    exposition_family(out, "batchd_job_cpu_seconds_total", "counter",
                      "Processor time of the last attempts of jobs that ended.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct labels labels = of_queue(&shown->queues[i]);
        exposition_number(out, "batchd_job_cpu_seconds_total", &labels,
                          (double)shown->queues[i].meters.cpu_us / US_PER_SECOND);
    }
}

static void put_histograms(FILE *out, const struct shown_queues *shown)
{
    exposition_family(out, "batchd_job_wait_seconds", "histogram",
                      "From when an attempt could have started until it did.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct labels labels = of_queue(&shown->queues[i]);
        exposition_histogram(out, "batchd_job_wait_seconds", &labels,
                             &shown->queues[i].meters.waits, buckets_of_jobs);
    }
    exposition_family(out, "batchd_job_run_seconds", "histogram",
                      "How long the last attempts of jobs that ended ran.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct labels labels = of_queue(&shown->queues[i]);
        exposition_histogram(out, "batchd_job_run_seconds", &labels, &shown->queues[i].meters.runs,
                             buckets_of_jobs);
    }
}

void metrics_queues(FILE *out, const struct api *api)
{
    CLEANUP_FREE struct shown_queues *shown = gather(api);
    put_jobs(out, shown);
    put_gauges(out, shown);
    put_counters(out, shown);
    put_io(out, shown);
    put_finished(out, shown);
    put_histograms(out, shown);
}

/* ---- users ---- */

static void add_user(struct user_meters *sum, const struct user_meters *more)
{
    sum->submitted += more->submitted;
    for (unsigned i = 0; i < METER_RESULT_COUNT; i++)
        sum->finished[i] += more->finished[i];
}

static void put_user(FILE *out, const char *uid, const struct user_meters *user, bool finished)
{
    const struct labels labels = {.name = {"uid"}, .value = {uid}};
    if (!finished)
        exposition_count(out, "batchd_user_jobs_submitted_total", &labels, user->submitted);
    for (unsigned result = 0; finished && result < METER_RESULT_COUNT; result++) {
        const struct labels both = {.name = {"uid", "result"},
                                    .value = {uid, meter_result_words[result]}};
        exposition_count(out, "batchd_user_jobs_finished_total", &both, user->finished[result]);
    }
}

static void put_users(FILE *out, const struct meters *meters, uint32_t most, bool finished)
{
    struct user_meters others = meters->other_users;
    char uid[16];
    for (size_t i = 0; i < meters->user_count; i++) {
        if (i >= most) {
            add_user(&others, &meters->users[i]);
            continue;
        }
        (void)snprintf(uid, sizeof(uid), "%u", meters->users[i].uid);
        put_user(out, uid, &meters->users[i], finished);
    }
    put_user(out, OTHER, &others, finished);
}

void metrics_users(FILE *out, const struct api *api, uint32_t most)
{
    exposition_family(out, "batchd_user_jobs_submitted_total", "counter",
                      "Jobs that a user submitted, tasks of arrays one by one.");
    put_users(out, api->options.meters, most, false);
    exposition_family(out, "batchd_user_jobs_finished_total", "counter",
                      "Jobs of a user that ended, by how.");
    put_users(out, api->options.meters, most, true);
}
