/* From a waiting job to a RUN record: reads the job's text, adds what only the start knows (ids,
 * attempt, BATCHD_* environment), and puts the intent into the turn's transaction. The record
 * leaves after the commit. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "daemon/core/gpus.h"
#include "daemon/core/job_request.h"
#include "daemon/engine/checkpoints.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/binding.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/gpu_places.h"
#include "daemon/engine/gpus.h"
#include "daemon/engine/internal.h"
#include "daemon/store/attempt_rows.h"
#include "daemon/store/task_rows.h"
#include "daemon/store/value_rows.h"

#include <string.h>

/* A minute is enough for most checkpoints; of a short timeout it is a quarter. */
#define ASK_BEFORE_MS 60000U

/* A job that is being started. */
struct start {
    uint64_t worker;
    uint32_t volumes;
    struct job_row row;
    struct job_run run;
};

/* In the place of what the person who submitted has: indices are ours to give. */
static void set_env(struct job_run *run, const char *name, const char *value)
{
    size_t length = strlen(name);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < run->envc; i++) {
        if (strncmp(run->env[i], name, length) == 0 && run->env[i][length] == '=')
            free(run->env[i]);
        else
            run->env[kept++] = run->env[i];
    }
    run->envc = kept;
    job_run_add_env(run, xasprintf("%s=%s", name, value));
}

/* On a machine that has GPUs a job sees those that it was given, and none if it asked for none.
 * AMD's runtime takes ROCR_VISIBLE_DEVICES first; HIP counts within what that leaves, and heeds
 * CUDA_VISIBLE_DEVICES when it has no variable of its own. Who counts does so in the order of the
 * bus, what the driver shows: so they are told its numbers, and CUDA their names, which stay. */
static void add_gpu_env(const struct engine *engine, const struct job_row *row, struct job_run *run)
{
    char indices[GPUS_TEXT_BYTES], positions[GPUS_TEXT_BYTES];
    const uint64_t set = row->status.gpu_set;
    if (scheduler_gpus(engine->scheduler)->count == 0 && set == 0)
        return;
    gpus_format(set, indices);
    gpus_format(gpus_lowest_free(0, (uint64_t)__builtin_popcountll(set), GPUS_MAX), positions);
    CLEANUP_FREE char *names = gpu_places_names(engine, set);
    CLEANUP_FREE char *numbers = gpu_places_numbers(engine, set);
    set_env(run, "CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    set_env(run, "CUDA_VISIBLE_DEVICES", names != NULL ? names : numbers);
    set_env(run, "ROCR_VISIBLE_DEVICES", numbers);
    set_env(run, "HIP_VISIBLE_DEVICES", positions);
    if (engine_gpu_vendor(engine) == GPU_INTEL)
        set_env(run, "ZE_AFFINITY_MASK", numbers);
    if (set != 0)
        job_run_add_env(run, xasprintf("BATCHD_GPUS=%s", indices));
    if (row->facts.gpu_memory_bytes > 0)
        job_run_add_env(run, xasprintf("BATCHD_GPU_MEMORY_BYTES=%llu",
                                       (unsigned long long)row->facts.gpu_memory_bytes));
}

/* Its worker binds it; a program that wants to place its threads reads which they are. */
static void add_cpus(const struct job_row *row, struct job_run *run)
{
    char list[CPU_LIST_TEXT_BYTES];
    if (!row->facts.bound)
        return;
    run->bound = row->status.cpus;
    cpu_list_format(&run->bound, list);
    job_run_add_env(run, xasprintf("BATCHD_CPU_LIST=%s", list));
}

static void add_job_env(const struct engine *engine, const struct job_facts *facts,
                        struct job_run *run)
{
    job_run_add_env(run, xasprintf("BATCHD_JOB_ID=%llu", (unsigned long long)facts->id));
    job_run_add_env(run, xasprintf("BATCHD_ATTEMPT=%u", run->id.attempt));
    job_run_add_env(run, xasprintf("BATCHD_MAX_ATTEMPTS=%u", facts->retry.max_attempts));
    job_run_add_env(run, xasprintf("BATCHD_JOB_NAME=%s", facts->name));
    job_run_add_env(run, xasprintf("BATCHD_QUEUE=%s", facts->queue));
    job_run_add_env(run, xasprintf("BATCHD_PRIORITY=%s", job_priority_word(facts->priority)));
    job_run_add_env(run, xasprintf("BATCHD_CPUS=%u", facts->cpus));
    if (facts->memory_bytes > 0)
        job_run_add_env(
            run, xasprintf("BATCHD_MEMORY_BYTES=%llu", (unsigned long long)facts->memory_bytes));
    job_run_add_env(run, xasprintf("BATCHD_SUBMIT_DIR=%s", run->cwd));
    job_run_add_env(run, xasprintf("BATCHD_SOCKET=%s", engine->options.socket_path));
    engine_add_folders(engine, run);
    engine_add_outputs(run);
    const struct array *array = run->id.is_task ? arrays_live(engine, facts->id) : NULL;
    if (array != NULL) {
        job_run_add_env(run,
                        xasprintf("BATCHD_ARRAY_INDEX=%llu", (unsigned long long)run->id.index));
        job_run_add_env(
            run, xasprintf("BATCHD_ARRAY_COUNT=%llu", (unsigned long long)array->spec.total));
    }
}

/* A processor reads one JSON object; the stored text lacks what is known only now. */
static void add_job_input(const struct job_facts *facts, struct job_run *run)
{
    if (facts->type == NULL || run->input[0] != '{')
        return;
    char *whole =
        xasprintf("{\"job\":%llu,\"attempt\":%u,\"cpus\":%u,%s", (unsigned long long)facts->id,
                  run->id.attempt, facts->cpus, run->input + 1);
    free(run->input);
    run->input = whole;
}

/* The value of a task of --each-line: indices of such arrays are positions in its set. */
static int add_value(const struct engine *engine, struct job_run *run, struct error *err)
{
    const struct array *array = run->id.is_task ? arrays_live(engine, run->id.job) : NULL;
    size_t bytes;
    if (array == NULL || array->options.value_set == 0)
        return 0;
    CLEANUP_FREE char *value =
        value_rows_find(engine->db, array->options.value_set, run->id.index, &bytes, err);
    if (value == NULL)
        return -1;
    job_run_add_env(run, xasprintf(ARRAY_VALUE_NAME "=%s", value));
    return 0;
}

/* Of a job that can be asked for a checkpoint the last one is not long before its time is over. */
static void ask_before_timeout(struct job_run *run)
{
    if (run->warn_signal != 0 || run->checkpoint_signal == 0)
        return;
    run->warn_signal = run->checkpoint_signal;
    run->warn_ms = run->timeout_ms / 4 < ASK_BEFORE_MS ? run->timeout_ms / 4 : ASK_BEFORE_MS;
}

int engine_read_run(const struct job_row *row, struct job_run *ret, struct error *err)
{
    struct record record;
    size_t used;
    if (record_parse(row->facts.run, row->facts.run_bytes, &record, &used) == RECORD_OK &&
        get_run(&record, ret) == 0)
        return 0;
    return error_set(err, ERROR_DAMAGED, "the stored command of job %llu cannot be read",
                     (unsigned long long)row->facts.id);
}

/* What only the start knows is added to what was stored. */
static int build_run(const struct engine *engine, const struct job_row *row, struct job_run *ret,
                     struct error *err)
{
    ret->id = (struct attempt_id){.job = row->facts.id,
                                  .index = row->status.index,
                                  .attempt = row->status.attempt,
                                  .is_task = row->status.is_task};
    ret->uid = row->facts.uid;
    ret->gid = row->facts.gid;
    ret->output_max = engine->options.output_max_bytes;
    ret->grace_ms = engine->options.stop_grace_ms;
    ret->memory_bytes = row->facts.memory_bytes != 0 ? row->facts.memory_bytes
                                                     : engine->options.limits.memory_bytes;
    ret->limits = limit_policy_settle(&engine->options.limits, &ret->limits, row->facts.cpus,
                                      ret->memory_bytes);
    add_job_env(engine, &row->facts, ret);
    add_gpu_env(engine, row, ret);
    add_cpus(row, ret);
    add_job_input(&row->facts, ret);
    return add_value(engine, ret, err);
}

/* Puts the status of the array's next task in the place of the array's own. 1: none of it may
 * start, since all its tasks wait for another attempt or it is being cancelled; or not yet, since
 * the next asks for other memory than the scheduler knew. */
static int take_task(struct engine *engine, struct job_row *row, struct error *err)
{
    bool again = false;
    struct array *array = arrays_open(engine, row, err);
    if (array == NULL)
        return -1;
    if (!array_can_take(engine, array)) {
        array_requeue(engine, array);
        if (array->again.later.count > 0 || array_cancels(array))
            return 1;
        return error_set(err, ERROR_DAMAGED, "array %llu is queued and has no task that may start",
                         (unsigned long long)row->facts.id);
    }
    if (array_asks_anew(engine, array)) /* the task that is next was not asked for */
        return 1;
    const uint64_t index = array_take(engine, array, &again);
    job_status_done(&row->status);
    row->status = (struct job_status){.id = row->facts.id,
                                      .is_task = true,
                                      .index = index,
                                      .state = JOB_STATE_PENDING,
                                      .outcome = {.exit_code = -1}};
    return again ? task_rows_load(engine->db, row->facts.id, index, &row->status, err) : 0;
}

/* Every active job that asked for GPUs has its own from its start to its end: none is handed ahead
 * (ahead.c). There is room, since the scheduler has asked for it. */
static int give_gpus(const struct engine *engine, const struct job *job, struct job_row *row,
                     struct error *err)
{
    const uint32_t wanted = row->facts.gpu_share > 0 ? 1 : row->facts.gpus;
    row->status.gpu_set = scheduler_choose_gpus(engine->scheduler, job);
    if ((uint32_t)__builtin_popcountll(row->status.gpu_set) == wanted)
        return 0;
    return error_set(err, ERROR_INTERNAL, "job %llu was to start and %u GPUs are not free",
                     (unsigned long long)row->facts.id, wanted);
}

/* A task that had too little gets what it waited for, as its row says; no more than there is on a
 * machine that was made smaller meanwhile. */
static void give_memory(const struct engine *engine, struct job_row *row)
{
    const uint64_t total = scheduler_total(engine->scheduler)->amount[RESOURCE_MEMORY];
    if (row->status.memory_bytes > total)
        row->status.memory_bytes = total;
    row->facts.memory_bytes = job_memory_asked(&row->facts, &row->status);
}

/* What is to be executed, where there is room for what it writes: *ret are its file systems. 1: it
 * does not start now. */
static int choose(struct engine *engine, struct job *job, struct job_row *row, struct job_run *run,
                  uint32_t *ret, struct error *err)
{
    if (engine_read_run(row, run, err) < 0)
        return -1;
    if (!engine_volumes_admit(engine, job, run, ret))
        return 1;
    return job_is_array(job) ? take_task(engine, row, err) : 0;
}

/* What was only asked back, or never reached its worker, is kept as no attempt. */
static int tell_first(const struct engine *engine, const struct job_status *status,
                      struct job_run *run, struct error *err)
{
    struct attempt_row last = {.status = {.attempt = 0}};
    if (status->attempt == 1)
        return 0;
    if (attempt_rows_last(engine->db, status, &last, err) < 0)
        return err->code == ERROR_DAMAGED ? 0 : -1; /* there was one */
    if (last.status.attempt == 0 && status->charged == 0 && status->losses == 0)
        run->flags |= RUN_FIRST;
    return 0;
}

static int load(struct engine *engine, struct job *job, struct start *start, struct error *err)
{
    struct job_row *row = &start->row;
    struct job_run *run = &start->run;
    if (job_rows_load(engine->db, job->id, row, err) < 0)
        return -1;
    int result = engine_may_bind(engine, &row->facts, start->worker)
                     ? choose(engine, job, row, run, &start->volumes, err)
                     : 1;
    if (result != 0) {
        job_run_done(run);
        job_row_done(row);
        return result;
    }
    give_memory(engine, row);
    row->status.retry_at = row->status.retry_us = 0;
    row->status.attempt++;
    row->status.worker = start->worker;
    row->status.started_at = row->status.ended_at = 0;
    if (give_gpus(engine, job, row, err) == 0 &&
        engine_bind(engine, &row->facts, &row->status, err) == 0 &&
        build_run(engine, row, run, err) == 0 && tell_first(engine, &row->status, run, err) == 0)
        return 0;
    job_run_done(run);
    job_row_done(row);
    return -1;
}

void engine_start_job(struct engine *engine, struct job *job, uint64_t worker, bool holds)
{
    struct start start = {.worker = worker};
    struct error err;
    int result = load(engine, job, &start, &err);
    if (result != 0) {
        if (result < 0)
            engine_break(engine, &err);
        engine->put_off++;
        return;
    }
    struct active *entry = active_add(&engine->active, &start.row.status);
    start.row.status.result = NULL; /* the entry has it now */
    entry->type = start.row.facts.type == NULL ? NULL : xstrdup(start.row.facts.type);
    entry->retry = start.row.facts.retry;
    entry->asked = job_facts_wanted(&start.row.facts, &engine->options.names);
    entry->counted = true;
    entry->volumes = start.volumes;
    entry->status.predicted_us = engine_estimate_of(engine, job, &entry->status.predicted_by);
    engine_watch_warning(engine, entry, &start.run);
    engine_breaker_started(engine, job, entry);
    if (holds)
        engine_hold(engine, entry, clock_wall_us());
    else
        scheduler_hand_ahead(engine->scheduler, job);
    engine_step(engine, entry, JOB_EVENT_ASSIGN);
    engine_store_status(engine, entry);
    engine_load_worker(engine, entry);
    ask_before_timeout(&start.run); /* of its timeout, not of its deadline */
    pool_run(engine->pool, worker, &start.run);
    engine_tell(engine, job, &entry->status, BUS_STARTING);
    array_follow_task(engine, entry);
    job_run_done(&start.run);
    job_row_done(&start.row);
}
