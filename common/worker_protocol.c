#include "common/worker_protocol.h"

#include "common/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 199U /* fits the char[200] fields with a NUL */
/* Of what once was `core` alone, 0 or 1: so older and newer ones read each other's ends. */
#define SOURCE_SHIFT 1U

static void put_id(struct record_writer *writer, const struct attempt_id *id)
{
    record_put_u64(writer, id->job);
    record_put_u64(writer, id->index);
    record_put_u32(writer, id->attempt);
    record_put_u8(writer, id->is_task);
}

static void get_id(struct record *record, struct attempt_id *ret)
{
    ret->job = record_get_u64(record);
    ret->index = record_get_u64(record);
    ret->attempt = record_get_u32(record);
    ret->is_task = record_get_u8(record);
}

static void put_text(struct record_writer *writer, const char *text)
{
    record_put_bytes(writer, text, strnlen(text, TEXT_MAX));
}

static void get_text(struct record *record, char text[200])
{
    char *copy = record_get_string(record, TEXT_MAX);
    (void)snprintf(text, 200, "%s", copy == NULL ? "" : copy);
    free(copy);
}

static int done(const struct record *record)
{
    return record_complete(record) ? 0 : -1;
}

bool job_exit_failed(const struct job_exit *end)
{
    return end->cause != EXIT_CAUSE_NORMAL || end->has_signal != 0 || end->exit_code != 0;
}

bool attempt_equal(const struct attempt_id *a, const struct attempt_id *b)
{
    return a->job == b->job && a->index == b->index && a->attempt == b->attempt &&
           a->is_task == b->is_task;
}

char *job_folder(const char *state_dir, const struct attempt_id *id)
{
    if (id->is_task)
        return xasprintf("%s/jobs/%llu/%llu", state_dir, (unsigned long long)id->job,
                         (unsigned long long)id->index);
    return xasprintf("%s/jobs/%llu", state_dir, (unsigned long long)id->job);
}

char *attempt_path(const char *state_dir, const struct attempt_id *id)
{
    char *folder = job_folder(state_dir, id);
    char *path = xasprintf("%s/%u", folder, id->attempt);
    free(folder);
    return path;
}

void put_spawn(struct record_writer *writer, uint64_t worker)
{
    record_begin(writer, MESSAGE_SPAWN);
    record_put_u64(writer, worker);
    record_put_u32(writer, RECORD_VERSION);
    record_end(writer);
}

int get_spawn(struct record *record, uint64_t *ret_worker)
{
    *ret_worker = record_get_u64(record);
    uint32_t version = record_get_u32(record);
    return version == RECORD_VERSION ? done(record) : -1;
}

void put_worker_id(struct record_writer *writer, enum worker_message type, uint64_t worker)
{
    record_begin(writer, (uint16_t)type);
    record_put_u64(writer, worker);
    record_end(writer);
}

int get_worker_id(struct record *record, uint64_t *ret_worker)
{
    *ret_worker = record_get_u64(record);
    return done(record);
}

void put_spawn_failed(struct record_writer *writer, uint64_t worker, const char *text)
{
    record_begin(writer, MESSAGE_SPAWN_FAILED);
    record_put_u64(writer, worker);
    put_text(writer, text);
    record_end(writer);
}

int get_spawn_failed(struct record *record, uint64_t *ret_worker, char text[200])
{
    *ret_worker = record_get_u64(record);
    get_text(record, text);
    return done(record);
}

static void put_strings(struct record_writer *writer, char *const *strings, uint32_t count)
{
    record_put_u32(writer, count);
    for (uint32_t i = 0; i < count; i++)
        record_put_string(writer, strings[i]);
}

/* Never more pointers than the payload could hold strings: each costs 4 bytes of length. */
static char **get_strings(struct record *record, uint32_t *ret_count)
{
    uint32_t count = record_get_u32(record);
    *ret_count = 0;
    if (record->failed || count > JOB_ARGS_MAX || count > (record->bytes - record->at) / 4) {
        record->failed = true;
        return xcalloc(1, sizeof(char *));
    }
    char **strings = xcalloc((size_t)count + 1, sizeof(char *));
    for (uint32_t i = 0; i < count && !record->failed; i++) {
        strings[i] = record_get_string(record, RECORD_PAYLOAD_MAX);
        *ret_count += strings[i] != NULL;
    }
    return strings;
}

void put_run(struct record_writer *writer, const struct job_run *run)
{
    record_begin(writer, MESSAGE_RUN);
    put_id(writer, &run->id);
    record_put_u32(writer, run->uid);
    record_put_u32(writer, run->gid);
    record_put_u8(writer, run->is_processor);
    record_put_u32(writer, run->umask);
    record_put_u64(writer, run->timeout_ms);
    record_put_u64(writer, run->grace_ms);
    record_put_u64(writer, run->output_max);
    record_put_string(writer, run->program);
    record_put_string(writer, run->cwd);
    record_put_string(writer, run->stdin_path);
    record_put_string(writer, run->input);
    put_strings(writer, run->argv, run->argc);
    put_strings(writer, run->env, run->envc);
    record_put_u32(writer, run->warn_signal);
    record_put_u64(writer, run->warn_ms);
    put_strings(writer, run->outputs, run->output_count);
    put_strings(writer, run->checks, run->check_count);
    record_put_u32(writer, run->checkpoint_signal);
    record_put_u64(writer, run->memory_bytes);
    record_put_u8(writer, run->flags);
    if (job_limits_any(&run->limits)) /* else it can be read by what knows none */
        job_limits_put(writer, &run->limits);
    record_end(writer);
}

int get_run(struct record *record, struct job_run *ret)
{
    *ret = (struct job_run){0};
    get_id(record, &ret->id);
    ret->uid = record_get_u32(record);
    ret->gid = record_get_u32(record);
    ret->is_processor = record_get_u8(record);
    ret->umask = record_get_u32(record);
    ret->timeout_ms = record_get_u64(record);
    ret->grace_ms = record_get_u64(record);
    ret->output_max = record_get_u64(record);
    ret->program = record_get_string(record, RECORD_PAYLOAD_MAX);
    ret->cwd = record_get_string(record, RECORD_PAYLOAD_MAX);
    ret->stdin_path = record_get_string(record, RECORD_PAYLOAD_MAX);
    ret->input = record_get_string(record, RECORD_PAYLOAD_MAX);
    ret->argv = get_strings(record, &ret->argc);
    ret->env = get_strings(record, &ret->envc);
    if (!record_complete(record)) { /* an older one ends here */
        ret->warn_signal = record_get_u32(record);
        ret->warn_ms = record_get_u64(record);
    }
    if (!record_complete(record)) { /* or here */
        ret->outputs = get_strings(record, &ret->output_count);
        ret->checks = get_strings(record, &ret->check_count);
        ret->checkpoint_signal = record_get_u32(record);
        ret->memory_bytes = record_get_u64(record);
    }
    if (!record_complete(record)) /* or here */
        ret->flags = record_get_u8(record);
    if (!record_complete(record))
        job_limits_get(record, &ret->limits);
    if (record_complete(record) && ret->argc > 0)
        return 0;
    job_run_done(ret);
    return -1;
}

static void free_strings(char **strings, uint32_t count)
{
    for (uint32_t i = 0; strings != NULL && i < count; i++)
        free(strings[i]);
    free(strings);
}

void job_run_done(struct job_run *run)
{
    free(run->program);
    free(run->cwd);
    free(run->stdin_path);
    free(run->input);
    free_strings(run->argv, run->argc);
    free_strings(run->env, run->envc);
    free_strings(run->outputs, run->output_count);
    free_strings(run->checks, run->check_count);
    *run = (struct job_run){0};
}

void job_run_add_env(struct job_run *run, char *text)
{
    run->env = xreallocarray(run->env, run->envc + 2, sizeof(char *));
    run->env[run->envc++] = text;
    run->env[run->envc] = NULL;
}

void put_limits(struct record_writer *writer, const struct attempt_id *id,
                const struct job_limits *limits)
{
    record_begin(writer, MESSAGE_LIMITS);
    put_id(writer, id);
    job_limits_put(writer, limits);
    record_end(writer);
}

int get_limits(struct record *record, struct attempt_id *ret_id, struct job_limits *ret)
{
    get_id(record, ret_id);
    job_limits_get(record, ret);
    return done(record);
}

void put_bind(struct record_writer *writer, const struct attempt_id *id,
              const struct cpu_list *cpus)
{
    char text[CPU_LIST_TEXT_BYTES];
    cpu_list_format(cpus, text);
    record_begin(writer, MESSAGE_BIND);
    put_id(writer, id);
    record_put_string(writer, text);
    record_end(writer);
}

int get_bind(struct record *record, struct attempt_id *ret_id, struct cpu_list *ret)
{
    struct error err;
    struct attempt_id id;
    struct cpu_list list;
    get_id(record, &id);
    char *text = record_get_string(record, CPU_LIST_TEXT_BYTES);
    int result = text == NULL ? -1 : cpu_list_parse(text, &list, &err);
    free(text);
    if (result < 0 || done(record) < 0)
        return -1;
    *ret_id = id;
    *ret = list;
    return 0;
}

void put_binds(struct record_writer *writer, const struct cpu_list *cpus)
{
    char text[CPU_LIST_TEXT_BYTES];
    cpu_list_format(cpus, text);
    record_begin(writer, MESSAGE_BINDS);
    record_put_string(writer, text);
    record_end(writer);
}

int get_binds(struct record *record, struct cpu_list *ret)
{
    struct error err;
    *ret = (struct cpu_list){.bits = {0}};
    if (record->bytes == 0)
        return 0;
    char *text = record_get_string(record, CPU_LIST_TEXT_BYTES);
    int result = text == NULL ? -1 : cpu_list_parse(text, ret, &err);
    free(text);
    return result == 0 ? done(record) : -1;
}

void put_stop(struct record_writer *writer, const struct job_stop *stop)
{
    record_begin(writer, MESSAGE_STOP);
    put_id(writer, &stop->id);
    record_put_u64(writer, stop->grace_ms);
    record_put_u8(writer, stop->only_queued);
    record_end(writer);
}

int get_stop(struct record *record, struct job_stop *ret)
{
    get_id(record, &ret->id);
    ret->grace_ms = record_get_u64(record);
    ret->only_queued = record_get_u8(record);
    return done(record);
}

void put_signal(struct record_writer *writer, const struct job_signal *signal)
{
    record_begin(writer, MESSAGE_SIGNAL);
    put_id(writer, &signal->id);
    record_put_u32(writer, signal->number);
    record_put_u8(writer, signal->whom);
    record_end(writer);
}

int get_signal(struct record *record, struct job_signal *ret)
{
    get_id(record, &ret->id);
    ret->number = record_get_u32(record);
    ret->whom = record_get_u8(record);
    return ret->whom < SIGNAL_WHOM_COUNT ? done(record) : -1;
}

void put_attempt(struct record_writer *writer, enum worker_message type,
                 const struct attempt_id *id)
{
    record_begin(writer, (uint16_t)type);
    put_id(writer, id);
    record_end(writer);
}

int get_attempt(struct record *record, struct attempt_id *ret)
{
    get_id(record, ret);
    return done(record);
}

void put_empty(struct record_writer *writer, enum worker_message type)
{
    record_begin(writer, (uint16_t)type);
    record_end(writer);
}

void put_hello(struct record_writer *writer, const struct worker_hello *hello)
{
    record_begin(writer, MESSAGE_HELLO);
    record_put_u64(writer, hello->worker);
    record_put_u32(writer, hello->pid);
    record_put_u32(writer, hello->count);
    for (uint32_t i = 0; i < hello->count; i++) {
        put_id(writer, &hello->jobs[i].id);
        record_put_u8(writer, hello->jobs[i].state);
        record_put_i64(writer, hello->jobs[i].started_at);
    }
    record_put_u64(writer, hello->ended);
    record_put_u64(writer, hello->failed);
    record_end(writer);
}

int get_hello(struct record *record, struct worker_hello *ret)
{
    *ret = (struct worker_hello){0};
    ret->worker = record_get_u64(record);
    ret->pid = record_get_u32(record);
    ret->count = record_get_u32(record);
    if (ret->count > WORKER_QUEUE_MAX)
        return -1;
    for (uint32_t i = 0; i < ret->count; i++) {
        get_id(record, &ret->jobs[i].id);
        ret->jobs[i].state = record_get_u8(record);
        ret->jobs[i].started_at = record_get_i64(record);
    }
    if (!record_complete(record)) { /* an older one ends here */
        ret->ended = record_get_u64(record);
        ret->failed = record_get_u64(record);
    }
    return done(record);
}

void put_started(struct record_writer *writer, enum worker_message type,
                 const struct job_started *started)
{
    record_begin(writer, (uint16_t)type);
    put_id(writer, &started->id);
    record_put_i64(writer, started->started_at);
    record_put_u32(writer, started->pid);
    record_end(writer);
}

int get_started(struct record *record, struct job_started *ret)
{
    get_id(record, &ret->id);
    ret->started_at = record_get_i64(record);
    ret->pid = record_get_u32(record);
    return done(record);
}

static void put_notes_part(struct record_writer *writer, const struct job_notes *notes)
{
    record_put_u64(writer, notes->resumed_number);
    record_put_u32(writer, notes->resumed_attempt);
    put_text(writer, notes->text);
}

static void get_notes_part(struct record *record, struct job_notes *ret)
{
    ret->resumed_number = record_get_u64(record);
    ret->resumed_attempt = record_get_u32(record);
    get_text(record, ret->text);
}

void put_notes(struct record_writer *writer, const struct attempt_id *id,
               const struct job_notes *notes)
{
    record_begin(writer, MESSAGE_NOTES);
    put_id(writer, id);
    put_notes_part(writer, notes);
    record_end(writer);
}

int get_notes(struct record *record, struct attempt_id *ret_id, struct job_notes *ret)
{
    get_id(record, ret_id);
    get_notes_part(record, ret);
    return done(record);
}

void put_exit(struct record_writer *writer, enum worker_message type, const struct job_exit *end)
{
    const uint64_t numbers[] = {end->run_us,        end->user_us,      end->system_us,
                                end->max_rss_bytes, end->read_blocks,  end->write_blocks,
                                end->stdout_bytes,  end->stderr_bytes, end->cut_bytes,
                                end->lost_bytes};
    record_begin(writer, (uint16_t)type);
    put_id(writer, &end->id);
    record_put_u8(writer, end->cause);
    record_put_u8(writer, end->has_code);
    record_put_u8(writer, end->has_signal);
    record_put_u8(writer, (uint8_t)(end->core | end->memory_source << SOURCE_SHIFT));
    record_put_u32(writer, end->exit_code);
    record_put_u32(writer, end->signal);
    record_put_u32(writer, end->spawn_errno);
    record_put_i64(writer, end->started_at);
    record_put_i64(writer, end->ended_at);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        record_put_u64(writer, numbers[i]);
    put_text(writer, end->text);
    put_notes_part(writer, &end->notes);
    record_end(writer);
}

int get_exit(struct record *record, struct job_exit *ret)
{
    uint64_t *const numbers[] = {&ret->run_us,        &ret->user_us,      &ret->system_us,
                                 &ret->max_rss_bytes, &ret->read_blocks,  &ret->write_blocks,
                                 &ret->stdout_bytes,  &ret->stderr_bytes, &ret->cut_bytes,
                                 &ret->lost_bytes};
    get_id(record, &ret->id);
    ret->cause = record_get_u8(record);
    ret->has_code = record_get_u8(record);
    ret->has_signal = record_get_u8(record);
    const uint8_t flags = record_get_u8(record);
    ret->core = flags & 1U;
    ret->memory_source = flags >> SOURCE_SHIFT;
    ret->exit_code = record_get_u32(record);
    ret->signal = record_get_u32(record);
    ret->spawn_errno = record_get_u32(record);
    ret->started_at = record_get_i64(record);
    ret->ended_at = record_get_i64(record);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        *numbers[i] = record_get_u64(record);
    get_text(record, ret->text);
    ret->notes = (struct job_notes){0};
    if (!record_complete(record)) /* an older one ends here */
        get_notes_part(record, &ret->notes);
    return ret->cause < EXIT_CAUSE_COUNT && ret->memory_source < MEMORY_SOURCE_COUNT ? done(record)
                                                                                     : -1;
}

void put_dropped(struct record_writer *writer, const struct job_dropped *dropped)
{
    record_begin(writer, MESSAGE_DROPPED);
    put_id(writer, &dropped->id);
    record_put_u32(writer, dropped->rest_ms);
    put_text(writer, dropped->text);
    record_end(writer);
}

int get_dropped(struct record *record, struct job_dropped *ret)
{
    get_id(record, &ret->id);
    ret->rest_ms = record_get_u32(record);
    get_text(record, ret->text);
    return done(record);
}

void put_watch(struct record_writer *writer, uint32_t interval_ms)
{
    record_begin(writer, MESSAGE_WATCH);
    record_put_u32(writer, interval_ms);
    record_end(writer);
}

int get_watch(struct record *record, uint32_t *ret_interval_ms)
{
    *ret_interval_ms = record_get_u32(record);
    return done(record);
}

void put_usage(struct record_writer *writer, const struct attempt_id *id,
               const struct job_usage *usage)
{
    record_begin(writer, MESSAGE_USAGE);
    put_id(writer, id);
    job_usage_put(writer, usage);
    record_end(writer);
}

int get_usage(struct record *record, struct attempt_id *ret_id, struct job_usage *ret)
{
    get_id(record, ret_id);
    job_usage_get(record, ret);
    return ret->source < MEMORY_SOURCE_COUNT ? done(record) : -1;
}

void put_progress(struct record_writer *writer, const struct attempt_id *id, const void *data,
                  size_t bytes)
{
    record_begin(writer, MESSAGE_PROGRESS);
    put_id(writer, id);
    record_put_bytes(writer, data, bytes);
    record_end(writer);
}

int get_progress(struct record *record, struct attempt_id *ret_id, const void **ret_data,
                 size_t *ret_bytes)
{
    get_id(record, ret_id);
    *ret_data = record_get_bytes(record, ret_bytes);
    return done(record);
}
