#include "daemon/api/submit_spec.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "common/words.h"
#include "common/worker_protocol.h"
#include "daemon/api/job_resources.h"
#include "daemon/api/limit_members.h"
#include "daemon/api/array_values.h"
#include "daemon/api/outputs.h"
#include "daemon/api/processors.h"
#include "daemon/api/retry_members.h"
#include "daemon/core/array_spec.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/queues.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Linux refuses an exec whose arguments and environment pass a quarter of the stack limit (2 MiB of
 * 8 MiB) and any single one over 128 KiB; a request is at most 1 MiB. */
#define ARGUMENT_BYTES_MAX (128U << 10)
#define ENV_BYTES_MAX (128U << 10)
#define ENV_COUNT_MAX 4096U
#define PATH_BYTES_MAX 4095U
#define TAGS_MAX 64U
#define LIMIT_TEXT_MAX 20U
/* As Slurm's --signal. */
#define WARNING_MS 60000

const char *const submit_fields[] = {"argv",
                                     "type",
                                     "params",
                                     "name",
                                     "queue",
                                     "priority",
                                     "cpus",
                                     "memory",
                                     "timeout_ms",
                                     "cwd",
                                     "env",
                                     "umask",
                                     "stdin",
                                     "tags",
                                     "key",
                                     "max_attempts",
                                     "rerun_if_lost",
                                     "array",
                                     "begin",
                                     "hold",
                                     "estimate_ms",
                                     "gpus",
                                     "gpu_memory",
                                     "disk",
                                     "resources",
                                     "depends",
                                     "max_fails",
                                     "deadline",
                                     "values",
                                     "values_id",
                                     "dry_run",
                                     "unique",
                                     "timeout_signal",
                                     "outputs",
                                     "checks",
                                     "checkpoint_signal",
                                     "timeout_signal_ms",
                                     "retry",
                                     "nice",
                                     "io_priority",
                                     "pids",
                                     "cpu_bind",
                                     NULL};

static int decode_argv(const json_t *params, struct job_run *run, struct error *err)
{
    json_t *argv = NULL;
    json_t *value;
    size_t i;
    int found = json_get_array(params, "argv", false, &argv, err);
    if (found <= 0)
        return found;
    size_t count = json_array_size(argv);
    if (count == 0 || count > JOB_ARGS_MAX)
        return error_set_field(err, "argv", "argv has %zu elements; it must have 1 to %u", count,
                               JOB_ARGS_MAX);
    run->argv = xcalloc(count + 1, sizeof(char *));
    json_array_foreach(argv, i, value) {
        if (json_value_text(value, "argv", ARGUMENT_BYTES_MAX, &run->argv[i], err) < 0)
            return -1;
        run->argc++;
    }
    if (run->argv[0][0] == '\0')
        return error_set_field(err, "argv", "argv[0] is empty; it must name a program");
    return 1;
}

static bool valid_env_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    }
    return true;
}

/* BATCHD_* is ours to set; what systemd tells a service about itself is not for its jobs. */
static bool reserved_env_name(const char *name)
{
    static const char *const words[] = {"NOTIFY_SOCKET",  "LISTEN_FDS",   "LISTEN_PID",
                                        "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"};
    return strncmp(name, "BATCHD_", 7) == 0 ||
           words_find(words, sizeof(words) / sizeof(words[0]), name) >= 0;
}

static int decode_env_entry(const char *name, const json_t *value, struct job_run *run,
                            size_t *total, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    if (!valid_env_name(name))
        return error_set_field(err, "env", "env name \"%.60s\" must match [A-Za-z_][A-Za-z0-9_]*",
                               name);
    if (json_value_text(value, "env", ENV_BYTES_MAX, &text, err) < 0)
        return -1;
    *total += strlen(name) + strlen(text) + 2;
    if (*total > ENV_BYTES_MAX)
        return error_set_field(err, "env", "env has over %u bytes, the limit", ENV_BYTES_MAX);
    if (!reserved_env_name(name))
        run->env[run->envc++] = xasprintf("%s=%s", name, text);
    return 0;
}

static int decode_env(const json_t *params, struct job_run *run, struct error *err)
{
    json_t *env = NULL;
    json_t *value;
    const char *name;
    size_t total = 0;
    if (json_get_object(params, "env", false, &env, err) < 0)
        return -1;
    size_t count = json_object_size(env);
    if (count > ENV_COUNT_MAX)
        return error_set_field(err, "env", "env has %zu entries; at most %u are allowed", count,
                               ENV_COUNT_MAX);
    run->env = xcalloc(count + 1, sizeof(char *));
    json_object_foreach(env, name, value) {
        if (decode_env_entry(name, value, run, &total, err) < 0)
            return -1;
    }
    return 0;
}

static int take_path(const json_t *params, const char *member, char **path, struct error *err)
{
    char *given = NULL;
    int found = json_get_bytes(params, member, false, PATH_BYTES_MAX, &given, err);
    if (found <= 0)
        return found;
    free(*path);
    *path = given;
    return 0;
}

int submit_spec_places(const json_t *params, struct job_run *run, struct error *err)
{
    if (take_path(params, "cwd", &run->cwd, err) < 0 ||
        take_path(params, "stdin", &run->stdin_path, err) < 0)
        return -1;
    if (run->cwd != NULL && run->cwd[0] != '/')
        return error_set_field(err, "cwd", "cwd \"%.200s\" must be an absolute path", run->cwd);
    return 0;
}

static int decode_paths(const json_t *params, struct job_run *run, struct error *err)
{
    int64_t mask = 0022;
    if (submit_spec_places(params, run, err) < 0 ||
        json_get_int(params, "umask", false, 0, 0777, &mask, err) < 0)
        return -1;
    run->umask = (uint32_t)mask;
    if (run->cwd == NULL)
        run->cwd = xstrdup("/");
    return 0;
}

static int check_warning(const struct job_run *run, bool has_deadline, struct error *err)
{
    if (run->warn_signal == 0 || run->timeout_ms > run->warn_ms)
        return 0;
    if (run->timeout_ms == 0 && has_deadline)
        return 0;
    if (run->timeout_ms == 0)
        return error_set_field(err, "timeout_signal",
                               "timeout_signal goes with a timeout or a deadline");
    return error_set_field(err, "timeout_signal_ms",
                           "timeout_signal_ms %llu must be less than timeout_ms, which is %llu",
                           (unsigned long long)run->warn_ms, (unsigned long long)run->timeout_ms);
}

/* 0: "", none. -1: it is none that a job can be warned by. */
static int read_warning(const json_t *params, int *ret, struct error *err)
{
    if (strcmp(json_string_value(json_object_get(params, "timeout_signal")), "") == 0)
        return *ret = 0;
    if (take_signal(params, "timeout_signal", true, ret, err) < 0)
        return -1;
    if (*ret != SIGKILL && *ret != SIGSTOP)
        return 0;
    return error_set_field(err, "timeout_signal",
                           "timeout_signal %s warns nobody: no program can take it; USR1 is one",
                           sigabbrev_np(*ret));
}

int submit_spec_warning(const json_t *params, struct job_run *run, bool has_deadline,
                        struct error *err)
{
    const char *word = NULL;
    int64_t ms = WARNING_MS;
    int number = 0;
    int found = json_get_string(params, "timeout_signal", false, &word, err);
    int span = json_get_int(params, "timeout_signal_ms", false, 1, SUBMIT_SPAN_MS_MAX, &ms, err);
    if (found < 0 || span < 0 || (found > 0 && read_warning(params, &number, err) < 0))
        return -1;
    if (span > 0 && number == 0)
        return error_set_field(err, "timeout_signal_ms",
                               "timeout_signal_ms goes with timeout_signal");
    if (found > 0) {
        run->warn_signal = (uint32_t)number;
        run->warn_ms = number == 0 ? 0 : (uint64_t)ms;
    }
    return check_warning(run, has_deadline, err);
}

/* What the configuration says of a type; NULL: nothing. */
static const struct retry_rule *retry_of(const struct engine_options *options, const char *type)
{
    for (size_t i = 0; i < options->retry_type_count && type != NULL; i++) {
        if (strcmp(options->retry_types[i].type, type) == 0)
            return &options->retry_types[i].rule;
    }
    return NULL;
}

static int decode_limits(const struct api_call *call, const json_t *params, struct job_facts *facts,
                         struct job_run *run, struct error *err)
{
    const struct named_queue *named = engine_queue_find(call->api->engine, facts->queue);
    int64_t timeout = named->settings.timeout_us / US_PER_MS;
    int64_t estimate = 0;
    if (json_get_int(params, "timeout_ms", false, 1, SUBMIT_SPAN_MS_MAX, &timeout, err) < 0 ||
        json_get_int(params, "estimate_ms", false, 1, SUBMIT_SPAN_MS_MAX, &estimate, err) < 0 ||
        retry_members_take(params, &facts->retry, err) < 0)
        return -1;
    const struct engine_options *limits = engine_limits(call->api->engine);
    const struct retry_layers layers = {.queue = &named->settings.retry,
                                        .type = retry_of(limits, facts->type),
                                        .config = &limits->retry};
    retry_rule_resolve(&facts->retry, &layers);
    facts->estimate_us = estimate * US_PER_MS;
    run->timeout_ms = (uint64_t)timeout;
    if (limit_members_take(params, &limits->limits, 1, &run->limits, err) < 0)
        return -1;
    return submit_spec_warning(params, run, json_is_integer(json_object_get(params, "deadline")),
                               err);
}

int submit_spec_tags(const json_t *params, struct job_facts *facts, struct error *err)
{
    json_t *tags = NULL;
    json_t *value;
    const char *name;
    int found = json_get_object(params, "tags", false, &tags, err);
    if (found <= 0)
        return found;
    if (json_object_size(tags) > TAGS_MAX)
        return error_set_field(err, "tags", "a job may have at most %u tags", TAGS_MAX);
    json_object_foreach(tags, name, value) {
        if (!json_is_string(value) || name[0] == '\0' || strlen(name) > JOB_NAME_MAX ||
            json_string_length(value) > JOB_NAME_MAX)
            return error_set_field(err, "tags",
                                   "tag \"%.60s\" must be a string of at most %u bytes", name,
                                   JOB_NAME_MAX);
    }
    free(facts->tags);
    facts->tags = json_to_text(tags, NULL);
    return 0;
}

int submit_key_read(const json_t *params, const char **ret, struct error *err)
{
    const char *key = NULL;
    if (json_get_string(params, "key", false, &key, err) < 0)
        return -1;
    if (key != NULL && (key[0] == '\0' || strlen(key) > JOB_KEY_MAX))
        return error_set_field(err, "key", "key must have 1 to %u bytes", JOB_KEY_MAX);
    if (key != NULL && strncmp(key, "cron:", 5) == 0)
        return error_set_field(err, "key", "key \"%.40s\": cron: is for the runs of schedules",
                               key);
    *ret = key;
    return 0;
}

int submit_spec_queue(const struct api_call *call, const char *queue, struct job_facts *facts,
                      struct error *err)
{
    if (engine_queue_find(call->api->engine, queue) == NULL) {
        (void)error_set_field(err, "queue", "no queue \"%.100s\"", queue);
        if (err != NULL)
            err->code = ERROR_NOT_FOUND;
        return -1;
    }
    free(facts->queue);
    facts->queue = xstrdup(queue);
    return 0;
}

int submit_spec_priority(const char *word, struct job_facts *facts, struct error *err)
{
    if (job_priority_parse(word, &facts->priority) == 0)
        return 0;
    return error_set_field(err, "priority",
                           "priority \"%.40s\" must be urgent, high, normal, low or background",
                           word);
}

int submit_spec_name(const json_t *params, struct job_facts *facts, struct error *err)
{
    const char *name = NULL;
    int found = json_get_string(params, "name", false, &name, err);
    if (found <= 0)
        return found;
    if (name[0] == '\0' || strlen(name) > JOB_NAME_MAX)
        return error_set_field(err, "name", "name must have 1 to %u bytes", JOB_NAME_MAX);
    free(facts->name);
    facts->name = xstrdup(name);
    return 0;
}

static int decode_words(const struct api_call *call, const json_t *params, struct job_facts *facts,
                        struct error *err)
{
    const char *queue = QUEUE_DEFAULT;
    const char *priority = NULL;
    const char *key = NULL;
    const char *unique = NULL;
    if (json_get_string(params, "queue", false, &queue, err) < 0 ||
        json_get_string(params, "priority", false, &priority, err) < 0 ||
        submit_spec_name(params, facts, err) < 0 ||
        json_get_string(params, "unique", false, &unique, err) < 0 ||
        submit_key_read(params, &key, err) < 0)
        return -1;
    if (submit_spec_queue(call, queue, facts, err) < 0)
        return -1;
    facts->priority = engine_queue_find(call->api->engine, queue)->settings.priority;
    if (priority != NULL && submit_spec_priority(priority, facts, err) < 0)
        return -1;
    if (unique != NULL && (unique[0] == '\0' || strlen(unique) > JOB_KEY_MAX))
        return error_set_field(err, "unique", "unique must have 1 to %u bytes", JOB_KEY_MAX);
    facts->key = xstrdup(key);
    facts->unique = xstrdup(unique);
    return 0;
}

/* A typed job: program, argv and input come from the processor's manifest and the params. */
static int decode_type(const struct api_call *call, const json_t *params, struct job_facts *facts,
                       struct job_run *run, struct error *err)
{
    const char *type = NULL;
    json_t *values = NULL;
    int found = json_get_string(params, "type", false, &type, err);
    if (found < 0 || json_get_object(params, "params", false, &values, err) < 0)
        return -1;
    if (found == 0 && values != NULL)
        return error_set_field(err, "params", "params goes with type");
    if (found == 0 && run->argc == 0)
        return error_set_field(err, "argv", "one of argv and type must be given");
    if (found == 0)
        return 0;
    if (run->argc > 0)
        return error_set_field(err, "type", "argv and type exclude each other");
    struct processor_use use;
    if (processor_resolve(call->api->options.processor_dirs, type, values, &use, err) < 0)
        return -1;
    run->program = use.program;
    run->flags = use.serves ? RUN_SERVES : 0;
    CLEANUP_JSON json_t *input = json_object();
    json_put(input, "params", use.params);
    json_put_text(input, "cwd", run->cwd);
    run->input = json_to_text(input, NULL);
    run->argv = xcalloc(2, sizeof(char *));
    run->argv[0] = xstrdup(type);
    run->argc = 1;
    run->is_processor = 1;
    facts->type = xstrdup(type);
    return 0;
}

static int decode_start(const json_t *params, struct job_facts *facts, struct error *err)
{
    if (json_get_int(params, "begin", false, 0, SUBMIT_TIME_US_MAX, &facts->begin_at, err) < 0 ||
        json_get_int(params, "deadline", false, 1, SUBMIT_TIME_US_MAX, &facts->deadline_at, err) <
            0)
        return -1;
    return json_get_bool(params, "hold", false, &facts->hold, err);
}

static int decode_depends(const struct api_call *call, const json_t *params,
                          struct job_facts *facts, struct error *err)
{
    const char *text = NULL;
    facts->may_name_any = access_all(call);
    int found = json_get_string(params, "depends", false, &text, err);
    return found <= 0 ? found : dependency_spec_parse(text, &facts->depends, err);
}

/* Of an array whose tasks are values: array_values_take completes it. */
static int decode_limit(const char *text, struct job_facts *facts, struct error *err)
{
    if (text != NULL && (text[0] != '%' || strlen(text) > LIMIT_TEXT_MAX))
        return error_set_field(
            err, "array", "array \"%.40s\" may only be a limit such as %%8 beside values", text);
    facts->array = xstrdup(text == NULL ? "" : text);
    return 0;
}

static int decode_array(const struct api_call *call, const json_t *params, struct job_facts *facts,
                        struct error *err)
{
    struct array_spec spec;
    const char *text = NULL;
    const char *fails = NULL;
    int found = json_get_string(params, "array", false, &text, err);
    if (found < 0 || json_get_string(params, "max_fails", false, &fails, err) < 0)
        return -1;
    bool values = array_values_given(params);
    if (fails != NULL && found == 0 && !values)
        return error_set_field(err, "max_fails", "max_fails goes with array");
    if (fails != NULL && fails_limit_parse(fails, &facts->max_fails, err) < 0)
        return -1;
    if (values)
        return decode_limit(text, facts, err);
    if (found == 0)
        return 0;
    if (strlen(text) > ARRAY_TEXT_MAX)
        return error_set_field(err, "array",
                               "array has %zu bytes; it may have %u: say it by ranges",
                               strlen(text), ARRAY_TEXT_MAX);
    if (array_spec_parse(text, engine_limits(call->api->engine)->array_max, &spec, err) < 0)
        return -1;
    array_spec_done(&spec);
    facts->array = xstrdup(text);
    return 0;
}

static void default_name(struct job_facts *facts, const struct job_run *run)
{
    if (facts->name != NULL)
        return;
    const char *slash = strrchr(run->argv[0], '/');
    const char *base = slash == NULL || slash[1] == '\0' ? run->argv[0] : slash + 1;
    /* A name is text: bytes outside printable ASCII are replaced, the argv keeps them. */
    facts->name = xasprintf("%.*s", (int)JOB_NAME_MAX, base);
    for (char *c = facts->name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
    }
}

static int decode(const struct api_call *call, const json_t *params, struct job_facts *facts,
                  struct job_run *run, struct error *err)
{
    if (decode_words(call, params, facts, err) < 0 || decode_argv(params, run, err) < 0 ||
        decode_paths(params, run, err) < 0 || decode_type(call, params, facts, run, err) < 0 ||
        decode_env(params, run, err) < 0 || outputs_decode(params, run, err) < 0 ||
        checkpoint_signal_decode(params, run, err) < 0 ||
        decode_limits(call, params, facts, run, err) < 0 ||
        job_resources_decode(params, &engine_limits(call->api->engine)->names, facts, err) < 0 ||
        submit_spec_tags(params, facts, err) < 0 || decode_start(params, facts, err) < 0 ||
        decode_array(call, params, facts, err) < 0 || decode_depends(call, params, facts, err) < 0)
        return -1;
    default_name(facts, run);
    return 0;
}

void submit_spec_put_run(const struct job_run *run, struct job_facts *facts)
{
    struct record_writer writer = {0};
    put_run(&writer, run);
    free(facts->run);
    facts->run = xmemdup(writer.data, writer.used);
    facts->run_bytes = writer.used;
    record_writer_done(&writer);
}

int submit_spec_decode(const struct api_call *call, const json_t *params, struct job_facts *ret,
                       struct error *err)
{
    struct job_facts facts = {.uid = call->uid,
                              .gid = call->gid,
                              .cpus = 1,
                              .bound = engine_limits(call->api->engine)->limits.bound};
    struct job_run run = {0};
    int result = decode(call, params, &facts, &run, err);
    if (result == 0) {
        submit_spec_put_run(&run, &facts);
        *ret = facts;
    } else {
        job_facts_done(&facts);
    }
    job_run_done(&run);
    return result;
}
