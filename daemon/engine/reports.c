/* What the workers say, as events on jobs. Every report may come twice or late (a worker repeats
 * what was not acknowledged): a report about an attempt that is not the job's current one is
 * acknowledged and otherwise ignored, so a result is recorded exactly once. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/timers.h"
#include "daemon/engine/checkpoints.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/job_log.h"
#include "daemon/engine/outcome.h"
#include "daemon/exec/worker_log.h"
#include "daemon/store/worker_rows.h"

#include <string.h>

/* Of a preview's line, which is a path: longer ones are left out (processors/README.md). */
#define PREVIEW_LINE_MAX 4096U

static void on_started(void *arg, uint64_t worker, const struct job_started *started)
{
    struct engine *engine = arg;
    struct active *entry = active_find_attempt(engine->active, &started->id);
    if (entry == NULL)
        return;
    const struct job *job = jobset_find(engine->jobs, entry->status.id);
    if (entry->status.state != JOB_STATE_STARTING)
        return;
    entry->status.started_at = started->started_at;
    engine_take_over(engine, entry);
    engine_count_start(engine, entry);
    engine_step(engine, entry, JOB_EVENT_GO);
    engine_store_status(engine, entry);
    engine_tell(engine, job, &entry->status, BUS_STARTED);
    if (entry->status.is_task)
        array_task_runs(engine, arrays_live(engine, job->id), started->started_at);
    array_follow_task(engine, entry);
    job_log_started(job, &entry->status);
    /* It is not one of the short ones: what waits behind it at this worker is taken back. */
    engine_ask_back_all(engine, worker);
    pool_note_run(engine->pool, worker, STARTED_DELAY_MS * UINT64_C(50000));
}

static void on_exited(void *arg, uint64_t worker, const struct job_exit *end)
{
    struct engine *engine = arg;
    struct active *entry = active_find_attempt(engine->active, &end->id);
    if (entry != NULL && entry->status.worker == worker) {
        outcome_from_exit(end, entry->type != NULL, &entry->status);
        engine_note_attempt(engine, &end->id, &end->notes);
        pool_note_run(engine->pool, worker, end->run_us);
        pool_note_end(engine->pool, worker);
        engine_settle(engine, entry, true);
    }
    pool_ack(engine->pool, worker, &end->id);
}

static void on_dropped(void *arg, uint64_t worker, const struct job_dropped *dropped)
{
    struct engine *engine = arg;
    struct active *entry = active_find_attempt(engine->active, &dropped->id);
    pool_ack(engine->pool, worker, &dropped->id);
    if (dropped->rest_ms > 0) {
        log_warning("worker %llu rests: %s", (unsigned long long)worker, dropped->text);
        pool_rest(engine->pool, worker, dropped->rest_ms);
    }
    if (entry != NULL && entry->status.worker == worker)
        engine_never_started(engine, entry, dropped->text);
}

/* Takes a line that begins in this way and is not longer than that in the place of *text. */
static void keep(char **text, const char *start, const char *line, size_t length, size_t most)
{
    const size_t begin = strlen(start);
    if (length <= begin || length > most || memcmp(line, start, begin) != 0)
        return;
    free(*text);
    *text = xmemdup(line, length);
}

/* Keeps the newest whole lines that are a progress or a preview object, as text: the api parses
 * them. */
static void on_progress(void *arg, uint64_t worker, const struct attempt_id *id, const void *data,
                        size_t bytes)
{
    struct engine *engine = arg;
    struct active *entry = active_find_attempt(engine->active, id);
    (void)worker;
    if (entry == NULL)
        return;
    const char *at = data;
    const char *limit = at + bytes;
    while (at < limit) {
        const char *end = memchr(at, '\n', (size_t)(limit - at));
        size_t length = (size_t)((end == NULL ? limit : end) - at);
        keep(&entry->progress, "{\"type\":\"progress\"", at, length, bytes);
        keep(&entry->preview, "{\"type\":\"preview\"", at, length, PREVIEW_LINE_MAX);
        at += length + 1;
    }
    const struct job *job = jobset_find(engine->jobs, entry->status.id);
    if (entry->progress != NULL)
        engine_tell(engine, job, &entry->status, BUS_PROGRESS);
}

static void on_notes(void *arg, const struct attempt_id *id, const struct job_notes *notes)
{
    struct engine *engine = arg;
    if (active_find_attempt(engine->active, id) != NULL)
        engine_note_attempt(engine, id, notes);
}

/* Kept in memory alone: at its end the whole comes with EXITED. */
static void on_usage(void *arg, const struct attempt_id *id, const struct job_usage *usage)
{
    struct engine *engine = arg;
    struct active *entry = active_find_attempt(engine->active, id);
    if (entry == NULL)
        return;
    entry->usage = *usage;
    entry->used_at = clock_wall_us();
}

/* ---- a worker introduces itself: who runs what after a reconnect ---- */

static bool listed(const struct worker_hello *hello, const struct attempt_id *id)
{
    for (uint32_t i = 0; i < hello->count; i++) {
        if (attempt_equal(&hello->jobs[i].id, id))
            return true;
    }
    return false;
}

#define READ_AGAIN_MS 1000

static struct worker_log *load_log(struct engine *engine, uint64_t worker, bool dead)
{
    struct error err;
    struct worker_log *log = worker_log_load(engine->options.state_dir, worker, &err);
    if (log == NULL) {
        log_error("worker %llu: %s", (unsigned long long)worker, err.text);
        unread_logs_add(&engine->unread_logs.first, worker, dead);
        timer_set(engine->unread_logs.timer, READ_AGAIN_MS);
    }
    return log;
}

/* The worker lives and does not list the job: it either ended (its EXITED follows) or was never
 * received. Its log decides. */
static void judge_unlisted(struct engine *engine, const struct worker_log *log,
                           struct active *entry)
{
    struct job_started started;
    struct job_exit end;
    const struct attempt_id id = active_id(entry);
    if (worker_log_attempt(log, &id, &started, &end) == ATTEMPT_NEVER_STARTED)
        engine_never_started(engine, entry, "its worker never received it");
}

/* The row says whether it is to stand; its worker may not have heard of it. */
static void follow_state(struct engine *engine, const struct active *entry, uint8_t told)
{
    const struct attempt_id id = active_id(entry);
    if (entry->status.state == JOB_STATE_SUSPENDED && told == HELLO_RUNNING)
        pool_suspend(engine->pool, entry->status.worker, &id);
    if (entry->status.state == JOB_STATE_RUNNING && told == HELLO_SUSPENDED)
        pool_resume(engine->pool, entry->status.worker, &id);
}

static void adopt(struct engine *engine, struct active *entry, const struct worker_hello *hello)
{
    const struct attempt_id id = active_id(entry);
    for (uint32_t i = 0; i < hello->count; i++) {
        const struct job_started started = {.id = id, .started_at = hello->jobs[i].started_at};
        if (!attempt_equal(&hello->jobs[i].id, &id) || hello->jobs[i].state == HELLO_QUEUED)
            continue;
        on_started(engine, hello->worker, &started);
        engine_ask_back_all(engine, hello->worker); /* batchd may have died before it could */
        follow_state(engine, entry, hello->jobs[i].state);
    }
    if (entry->status.cancelling || entry->deadline_passed != 0)
        engine_stop_active(engine, entry, engine->options.stop_grace_ms);
    else if (entry->asked_back)
        engine_ask_back(engine, entry);
}

static void judge_all_unlisted(struct engine *engine, uint64_t worker)
{
    struct worker_log *log = load_log(engine, worker, false);
    struct active *next;
    for (struct active *entry = engine->active; entry != NULL && log != NULL; entry = next) {
        next = entry->next;
        if (entry->status.worker != worker || !entry->unjudged)
            continue;
        entry->unjudged = false;
        judge_unlisted(engine, log, entry);
    }
    worker_log_free(log);
}

static void on_hello(void *arg, uint64_t worker, const struct worker_hello *hello)
{
    struct engine *engine = arg;
    bool unlisted = false;
    struct active *next;
    for (struct active *entry = engine->active; entry != NULL; entry = next) {
        const struct attempt_id id = active_id(entry);
        next = entry->next;
        if (entry->status.worker != worker)
            continue;
        if (!entry->counted)
            engine_load_worker(engine, entry);
        entry->counted = true;
        entry->unjudged = !listed(hello, &id);
        unlisted = unlisted || entry->unjudged;
        if (!entry->unjudged)
            adopt(engine, entry, hello);
    }
    if (unlisted)
        judge_all_unlisted(engine, worker);
}

/* ---- a worker is dead, and so is its tree: its log is the last word ---- */

static void judge_dead(struct engine *engine, const struct worker_log *log, struct active *entry,
                       bool tree_dead)
{
    struct job_started started;
    struct job_exit end;
    const struct attempt_id id = active_id(entry);
    switch (worker_log_attempt(log, &id, &started, &end)) {
    case ATTEMPT_ENDED:
        outcome_from_exit(&end, entry->type != NULL, &entry->status);
        engine_note_attempt(engine, &end.id, &end.notes);
        engine_settle(engine, entry, true);
        return;
    case ATTEMPT_STARTED:
        entry->status.started_at = started.started_at;
        outcome_lost(tree_dead, &entry->status);
        engine_settle(engine, entry, tree_dead);
        return;
    case ATTEMPT_NEVER_STARTED:
        break;
    }
    if (entry->status.state == JOB_STATE_STARTING) {
        engine_never_started(engine, entry, "its worker died before it started");
        return;
    }
    /* It was reported to run, so somebody took the log away: nothing is proved. */
    outcome_lost(false, &entry->status);
    engine_settle(engine, entry, false);
}

static void on_gone(void *arg, uint64_t worker, bool never_made)
{
    struct engine *engine = arg;
    struct worker_log *log = load_log(engine, worker, true);
    struct error err;
    struct active *next;
    bool swept = log != NULL && worker_log_swept(log);
    for (struct active *entry = engine->active; entry != NULL && log != NULL; entry = next) {
        next = entry->next;
        if (entry->status.worker == worker)
            judge_dead(engine, log, entry, swept);
    }
    worker_log_free(log);
    if (log == NULL)
        return;
    if (!engine->broken && worker_rows_delete(engine->db, worker, &err) < 0)
        engine_break(engine, &err);
    struct pending_forget *forget = xcalloc(1, sizeof(*forget));
    *forget = (struct pending_forget){.next = engine->forget, .worker = worker};
    engine->forget = forget;
    if (never_made)
        log_warning("worker %llu was never made", (unsigned long long)worker);
}

/* ---- logs that could not be read ---- */

static void read_again(void *arg)
{
    struct engine *engine = arg;
    struct unread_log *logs = engine->unread_logs.first;
    engine->unread_logs.first = NULL;
    for (const struct unread_log *entry = logs; entry != NULL; entry = entry->next) {
        if (entry->dead)
            on_gone(engine, entry->worker, false);
        else
            judge_all_unlisted(engine, entry->worker);
    }
    unread_logs_free(&logs);
}

void reports_begin(struct engine *engine, struct event_base *base)
{
    engine->unread_logs.timer = timer_new(base, read_again, engine);
}

void reports_end(struct engine *engine)
{
    timer_free(engine->unread_logs.timer);
    unread_logs_free(&engine->unread_logs.first);
}

static void on_folders(void *arg, const struct job_folders *folders)
{
    removals_on_folders(arg, folders);
}

const struct pool_events engine_pool_events = {.hello = on_hello,
                                               .started = on_started,
                                               .exited = on_exited,
                                               .dropped = on_dropped,
                                               .progress = on_progress,
                                               .notes = on_notes,
                                               .usage = on_usage,
                                               .gone = on_gone,
                                               .folders = on_folders};
